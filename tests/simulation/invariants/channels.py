"""What status and page say, beside what stands at that moment."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from ..looks import Look
from ..platform import FLAGS, PERCENTAGE, SWITCH
from .history import LEASE, History, holder_of, switch_of
from .sentences import CHANNELS_ARE_TRUE

AGREE: t.Mapping[str, t.Collection[str]] = {
    "FINE": ("Deployed",),
    "FAILED": ("Failed",),
    "INTERRUPTED": ("Interrupted",),
    "ON HOLD": ("On hold", "Running"),
    "ROLLED BACK": ("Rolled back",),
    "NOT FINISHED": ("Not finished", "Incomplete", "In progress"),
    "NO RELEASE": ("Unknown",),
}
"""The page's verdict beside the status's. A lock or a kill switch is the status's alone."""
RUNNING = ("Running", "Rolling back")
"""The same of a page whose run lives."""
FLAGS_CLAIM, VERSIONS = "Feature flags", "Versions"
FEW = 4
"""Versions that the lines name."""


class ChannelInvariants:
    def __init__(self, history: History) -> None:
        self._history = history

    def look(self, look: Look) -> None:
        versions = self._services(look)
        self._texts(look, versions)
        flags = self._history.find("configmaps", FLAGS)
        self._flags(look, {} if flags is None else flags)
        self._lock(look, self._history.find("leases", LEASE))
        said, shown = look.status["verdict"], look.page.verdict.word
        agree = RUNNING if look.live else AGREE.get(said, (shown,))
        self._check(shown in agree, f"the status is {said}, the page {shown}")

    def _check(self, holds: bool, what: str) -> None:
        self._history.check(CHANNELS_ARE_TRUE, holds, what)

    def _services(self, look: Look) -> dict[str, str]:
        """The version of each, as its Deployment asks for it."""
        versions = {}
        for name in self._history.world.plan.services:
            body = self._history.find("deployments", name)
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
        page = dict(look.page.now)
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
        if claim is not None and claim.text.startswith("Active"):
            self._check(not is_off, f"the page says {claim.text!r}, and {SWITCH} is off")
        if claim is not None and claim.text.startswith("off"):
            self._check(is_off, f"the page says {claim.text!r}, and {SWITCH} is on")

    def _lock(self, look: Look, lease: Object | None) -> None:
        holder = holder_of(lease)[0] if lease else ""
        said = look.status["lock"]
        self._check(said["held"] == bool(holder), f"{said} of {holder!r}")
        self._check(not holder or said["holder"] in holder, f"{said} of {holder!r}")
