"""What status and page say, beside what stands at that moment."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from ..looks import Look
from ..platform import FLAGS, PERCENTAGE, SWITCH
from .history import LEASE, holder_of, record_of, switch_of

AGREE: t.Mapping[str, t.Collection[str]] = {
    "FINE": ("Deployed",),
    "FAILED": ("Failed",),
    "INTERRUPTED": ("Interrupted",),
    "ON HOLD": ("On hold", "Running"),
    "ROLLED BACK": ("Rolled back",),
    "NOT FINISHED": ("Not finished", "Incomplete"),
    "NO RELEASE": ("No release",),
}
"""The page's verdict beside the status's. A lock or a kill switch is the status's alone."""
MARKS = {"": "▫️", "done": "✅", "waived": "⚠️", "running": "❔", "failed": "❌", "on hold": "⏸️"}
"""Of a phase in Slack, by its state; ↩️ is that of one that was taken back."""
RUNNING = ("Running", "Rolling back")
"""The same of a page whose run lives."""
HALF_DONE = ("rollback_asked", "restore_asked")
HOLD = "Hold"
"""The reason of a failure that waits for a decision."""
FLAGS_CLAIM, VERSIONS = "Feature flags", "Versions"
FEW = 4
"""Versions that the lines name."""


def word_of(phase: Object) -> str:
    """Of one that is neither done nor waived, after its run."""
    if phase["status"] == "running":
        return "INTERRUPTED"
    failures = (phase.get("evidence") or {}).get("failures", {}).values()
    return "ON HOLD" if any(failure.get("reason") == HOLD for failure in failures) else "FAILED"


class ChannelInvariants:
    """`find` gives what stands under a plural and a name, `check` takes whether a sentence holds, and the sentence."""

    def __init__(
        self,
        services: t.Sequence[str],
        find: t.Callable[[str, str], Object | None],
        check: t.Callable[[bool, str], None],
    ) -> None:
        self._services_there, self._find, self._check = services, find, check

    def look(self, look: Look) -> None:
        versions = self._services(look)
        self._texts(look, versions)
        flags = self._find("configmaps", FLAGS)
        self._flags(look, {} if flags is None else flags)
        lease = self._find("leases", LEASE)
        self._lock(look, lease)
        body = self._find("configmaps", f"release-{look.release}")
        record = {} if body is None else record_of(body)
        self._phases(look, record)
        self._verdict(look, lease, record, flags)
        said, shown = look.status["verdict"], look.page.verdict.word
        agree = RUNNING if look.live else AGREE.get(said, (shown,))
        self._check(shown in agree, f"the status is {said}, the page {shown}")

    def _verdict(
        self, look: Look, lease: Object | None, record: Object, flags: Object | None
    ) -> None:
        """The status's word beside the record as it is stored, in the order in which one outweighs the other."""
        holder, run = holder_of(lease) if lease else ("", "")
        phases = record.get("phases", {}).values()
        statuses = {phase["status"] for phase in phases}
        unfinished = [phase for phase in phases if phase["status"] in ("running", "failed")]
        facts = record.get("facts", {})
        asked = [facts[name]["at"] for name in HALF_DONE if facts.get(name, {}).get("open")]
        half = asked and not any(phase["started"] > max(asked) for phase in phases)
        switch = switch_of(flags) if flags else None
        if holder and run:
            words = {"RUNNING", "ON HOLD"}
        elif half:
            words = {"INTERRUPTED"}
        elif record.get("status") == "rolled_back":
            words = {"ROLLED BACK"}
        elif switch and not (switch["automatic"] and record.get("status") != "done"):
            words = {"KILLED"}
        elif unfinished:
            last = max(phase["started"] for phase in unfinished)
            words = {word_of(phase) for phase in unfinished if phase["started"] == last}
        elif not record or record["status"] == "planned":
            words = {"NO RELEASE"}
        else:
            whole = record["status"] == "done" and not statuses & {
                "rolled_back",
                "partly_rolled_back",
            }
            words = {"FINE" if whole else "NOT FINISHED"}
        self._check(
            look.status["verdict"] in words, f"the status is {look.status['verdict']}: {words}"
        )

    def _services(self, look: Look) -> dict[str, str]:
        """The version of each, as its Deployment asks for it."""
        versions = {}
        for name in self._services_there:
            body = self._find("deployments", name)
            if body is None:
                continue
            image = body["spec"]["template"]["spec"]["containers"][0]["image"]
            versions[name] = image.partition("@")[0].rpartition(":")[2]
            stands = {
                "version": versions[name],
                "desired": body["spec"]["replicas"],
                "available": body["status"].get("availableReplicas", 0),
            }
            shown = {key: look.status["services"][name][key] for key in stands}
            self._check(shown == stands, f"the status says {shown} of {name}, which is {stands}")
        return versions

    def _texts(self, look: Look, versions: t.Mapping[str, str]) -> None:
        page = dict(look.page.claims)
        rows = [line.strip() for line in look.lines]
        channels = {"lines": "\n".join(row for row in rows if row.startswith("versions "))}
        if VERSIONS in page:
            channels["page"] = page[VERSIONS].text.replace(" · ", "\n")
        distinct = {*versions.values()}
        for channel, text in channels.items() if len(distinct) <= FEW else ():
            for version in distinct:
                names = [name for name, of in versions.items() if of == version]
                told = next((row for row in text.split("\n") if f"{version}: " in row), "")
                whole = told.endswith((f"all {len(names)}", f"the other {len(names)}"))
                self._check(
                    whole or {*names} <= {*told.split()}, f"{channel} say {text!r} of {versions}"
                )

    def _flags(self, look: Look, flags: Object) -> None:
        data, switch = flags.get("data") or {}, switch_of(flags) if flags else None
        self._check(
            look.status["flags"] == data, f"of {data} the status says {look.status['flags']}"
        )
        said = look.status["kill_switch"]
        self._check(bool(said) == bool(switch), f"of the switch {switch} the status says {said!r}")
        off = next((line for line in look.lines if "off: " in line), "").partition("off: ")[2]
        is_off = data.get(SWITCH) == "false"
        listed = SWITCH in off.split() or any("all off" in line for line in look.lines)
        self._check(is_off == listed, f"{SWITCH} is {data.get(SWITCH)}, the lines say {off!r}")
        percentage = f"{PERCENTAGE}={data.get(PERCENTAGE)}"
        self._check(any(percentage in line for line in look.lines), f"no line says {percentage}")
        claim = dict(look.page.claims).get(FLAGS_CLAIM)
        if claim is not None and claim.text.startswith(("Active", "off")):
            reaches_users = not is_off and data.get(PERCENTAGE) != "0"
            self._check(
                reaches_users == claim.text.startswith("Active"),
                f"the page says {claim.text!r} of {SWITCH}={data.get(SWITCH)} and {percentage}",
            )

    def _lock(self, look: Look, lease: Object | None) -> None:
        holder = holder_of(lease)[0] if lease else ""
        said = look.status["lock"]
        self._check(said["held"] == bool(holder), f"{said} of {holder!r}")
        self._check(not holder or said["holder"] in holder, f"{said} of {holder!r}")

    def _phases(self, look: Look, record: Object) -> None:
        stored = record.get("phases", {})
        rows = {row.name: row.status for row in look.page.phases}
        for phase, line in zip(look.status["phases"], look.slack, strict=False):
            entry = stored.get(phase["name"], {})
            state = entry.get("status", "")
            if state == "failed" and word_of(entry) == "ON HOLD":
                state = "on hold"
            shown = (phase["status"], rows[phase["name"]], line.partition(" ")[0])
            words = state.replace("_", " ")
            stands = (
                words.replace(" ", "_") or "not_started",
                words or "not run",
                MARKS.get(state, "↩️"),
            )
            self._check(shown == stands, f"{phase['name']} is {state!r}, it is told as {shown}")
