# SPDX-License-Identifier: GPL-3.0-or-later
"""The release record and its pins."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from ..platform import NEW
from .history import PINS, RECORD, History, Write, record_of, unpacked
from .sentences import PHASES_LAST, PINS_ARE_OLD, TRUE_CLAIMS

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did

SETTLED = ("done", "failed", "rolled_back", "partly_rolled_back", "waived")


class RecordInvariants:
    def __init__(self, history: History) -> None:
        self._history = history

    def written(self, write: Write) -> None:
        if write.after is None:
            return
        if write.name == RECORD and write.before is not None:
            self._record_written(write.by, record_of(write.before), record_of(write.after))
        elif write.name == PINS:
            self._pins_written(unpacked(write.after))

    def _record_written(self, by: str, before: Object, after: Object) -> None:
        self._history.check(
            PHASES_LAST,
            after["attempt"] >= before["attempt"],
            f"attempt {before['attempt']} became {after['attempt']}",
        )
        if after["attempt"] != before["attempt"]:
            return
        for name, phase in before["phases"].items():
            if phase["status"] == "done":
                found = after["phases"].get(name, {}).get("status")
                self._history.check(
                    PHASES_LAST, found in SETTLED, f"{by}: phase {name} was done and is {found}"
                )

    def _pins_written(self, pins: Object) -> None:
        for name, pin in pins.get("deployments", {}).items():
            images = [one["image"] for one in pin["template"]["spec"]["containers"]]
            self._history.check(
                PINS_ARE_OLD,
                not any(f":{NEW}" in image for image in images),
                f"the pin of {name} is {images}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module != "release" or did.failed or did.params["phase_status"] != "done":
            return
        if self._history.others_wrote("configmaps", RECORD, did, process.name):
            return
        phase = did.params["phase"]
        found = (self._history.record().get("phases") or {}).get(phase, {}).get("status")
        self._history.check(
            TRUE_CLAIMS, found == "done", f"phase {phase} was closed, and is {found}"
        )
