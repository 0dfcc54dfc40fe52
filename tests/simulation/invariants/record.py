"""The release record and its pins."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from ..platform import FLAGS, SWITCH
from ..scheduler import Process
from ..scripts.script import PHASES, WATCH
from ..tasks import Did
from .history import PINNING, PINS, RECORDS, Part, Write, record_of, switch_of, unpacked

UNFINISHED = ("running", "failed")
SETTLED = ("done", "failed", "rolled_back", "partly_rolled_back", "waived")


class RecordInvariants(Part):
    def written(self, write: Write) -> None:
        if write.after is None:
            return
        if write.name in RECORDS:
            before = {} if write.before is None else record_of(write.before)
            after = record_of(write.after)
            self._phases_written(write.by, before.get("phases", {}), after["phases"])
            self._check_beside_others(write.by, before, after)
            if before:
                self._record_written(write.by, before, after)
        elif write.name in PINS:
            before = {} if write.before is None else unpacked(write.before)
            self._pins_written(write.by, PINS[write.name], before, unpacked(write.after))

    def _record_written(self, by: str, before: Object, after: Object) -> None:
        self._check(
            "phases_last",
            after["attempt"] >= before["attempt"],
            f"attempt {before['attempt']} became {after['attempt']}",
        )
        if before["status"] == "rolled_back" and after["status"] == "running":
            self._check(
                "phases_last",
                after["attempt"] == before["attempt"] + 1,
                f"{by} began a release that was rolled back, and the attempt is {after['attempt']}",
            )
        for part in ("previous_attempts", "notes"):
            lost = [one for one in before.get(part) or () if one not in (after.get(part) or ())]
            self._check("phases_last", not lost, f"{by} lost {part}: {lost}")
        if after["attempt"] != before["attempt"]:
            self._check(
                "phases_last",
                len(after.get("previous_attempts") or ()) == after["attempt"] - 1,
                f"{by} began attempt {after['attempt']}, and the record has not the ones before",
            )
            return
        lost = _lost(before.get("facts") or {}, after.get("facts") or {})
        self._check("phases_last", not lost, f"{by} lost the facts {lost}")
        for name, phase in before["phases"].items():
            if phase["status"] == "done":
                found = after["phases"].get(name, {}).get("status")
                self._check(
                    "phases_last", found in SETTLED, f"{by}: phase {name} was done and is {found}"
                )

    def _phases_written(self, by: str, before: Object, after: Object) -> None:
        for at, name in enumerate(PHASES):
            was, now = (one.get(name, {}).get("status") for one in (before, after))
            if now in ("running", "done") and was not in ("running", "done"):
                states = [after.get(one, {}).get("status") for one in PHASES[:at]]
                self._check(
                    "in_order",
                    all(one == "done" for one in states),
                    f"{by} made phase {name} {now}, and before it is {states}",
                )
                # A watch that is not simulated is closed without having been opened.
                if name == WATCH and now == "running" and states[-1] == "done":
                    self._check_flags_stand(by, after)

    def _check_flags_stand(self, by: str, phases: Object) -> None:
        """Whatever the flags were since the task began that opens the watch, it may have read."""
        asked = phases["feature_flags"]["evidence"].get("flags", {}).get("asked", {})
        if asked.get(SWITCH) != "true":
            return
        began = self._history.began(by)
        stood = [self._history.last_write("configmaps", FLAGS, began)]
        stood += [one for one in self._history.writes("configmaps", FLAGS) if one.at >= began]
        bodies = [one.after or {} for one in stood if one is not None]
        switches = [switch_of(body) if body else None for body in bodies]
        held = [
            switch is not None and switch.get("automatic") and body["data"].get(SWITCH) == "false"
            for switch, body in zip(switches, bodies, strict=True)
        ]
        self._check("flags_stand", not held or not all(held), f"{by} opened the watch")

    def _check_beside_others(self, by: str, before: Object, after: Object) -> None:
        """As they stood when the task began that opens a phase, or the run that has one done again."""
        history, same = self._history, before if before.get("attempt") == after["attempt"] else {}
        was, now = _epochs(same), _epochs(after)
        moved = [one for one in now if now[one] != was.get(one)]
        if not moved or history.options_of(by).get("supersedes"):
            return
        opens = any(after["phases"][one]["status"] == "running" for one in moved)
        for release in RECORDS.values():
            other = self._stood(release, history.began(by) if opens else history.came(by))
            if release == after["version"] or not other.get("phases"):
                continue
            partly = any(one["status"] == "partly_rolled_back" for one in other["phases"].values())
            wrong = other["status"] in UNFINISHED or (partly and other["status"] == "done")
            if was:
                stands = wrong or other["status"] == "done"
                wrong = stands and max(_epochs(other).values()) > max(was.values())
            history.check(
                "latest_goes_on",
                not wrong,
                f"{by} {'went on' if was else 'began'}, and release {release} is {other['status']}",
            )

    def _stood(self, release: str, at: float) -> Object:
        last = self._history.last_write("configmaps", f"release-{release}", at)
        return {} if last is None or last.after is None else record_of(last.after)

    def _pins_written(self, by: str, release: str, before: Object, pins: Object) -> None:
        known = before.get("config_maps", {}) if before.get("attempt") == pins["attempt"] else {}
        for name, pin in known.items():
            self._check(
                "pins_are_old",
                pins["config_maps"].get(name) == pin,
                f"{by} pinned {name} again in the same attempt",
            )
        for name, pin in pins.get("deployments", {}).items():
            images = [one["image"] for one in pin["template"]["spec"]["containers"]]
            self._check(
                "pins_are_old",
                not any(f":{release}" in image for image in images),
                f"the pin of {name} for release {release} is {images}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module in PINNING and did.params["pin"] and did.params["phase"] and not did.failed:
            self._check_attempt(process, did)
        if did.module == "release" and not did.failed and not did.params["decision"]:
            self._check_recorded(process, did)

    def _check_recorded(self, process: Process, did: Did) -> None:
        """Others may have written over it by now."""
        release = did.params["name"]
        writes = self._history.writes("configmaps", f"release-{release}")
        stood = [one.before for one in writes if one.at >= did.began][:1]
        stood += [one.after for one in writes if one.at >= did.began]
        records = [record_of(one) for one in stood if one is not None] or [
            self._history.record(release)
        ]
        phase, notes, facts = (did.params[one] for one in ("phase", "notes", "facts"))
        if did.params["phase_status"] == "done":
            found = [(one.get("phases") or {}).get(phase, {}).get("status") for one in records]
            self._check("true_claims", "done" in found, f"phase {phase} was closed, and is {found}")
        if notes or facts:
            self._check(
                "true_claims",
                any(
                    {*notes} <= {*(one.get("notes") or ())}
                    and not _lost(facts, one.get("facts") or {})
                    for one in records
                ),
                f"{process.name} recorded {notes} {facts}, and no record has them",
            )

    @property
    def _pins_nothing(self) -> bool:
        phases = self._world.phases
        return bool(phases) and "microservices" not in phases

    def _check_attempt(self, process: Process, did: Did) -> None:
        release = self._history.release_of(process.name)
        if any(
            self._history.others_wrote("configmaps", one, did, process.name)
            for one in (f"release-{release}", f"release-{release}-pins")
        ):
            return
        both = self._history.pins(release), self._history.record(release)
        attempts = [one.get("attempt") for one in both]
        self._check(
            "true_claims",
            attempts[0] == attempts[1] or self._pins_nothing,
            f"attempt {attempts[1]} was opened, and the pins are of attempt {attempts[0]}",
        )


def _epochs(record: Object) -> dict[str, int]:
    """Of the run that last opened each phase."""
    phases: t.Mapping[str, Object] = record.get("phases", {})
    return {name: one["fence"] for name, one in phases.items()}


def _lost(before: Object, after: Object) -> list[str]:
    """Keys that are no more, also inside."""
    found = [name for name in before if name not in after]
    for name, value in before.items():
        if isinstance(value, dict) and isinstance(after.get(name), dict):
            found += [f"{name}.{one}" for one in _lost(value, after[name])]
    return found
