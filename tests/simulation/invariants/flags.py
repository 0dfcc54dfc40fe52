# SPDX-License-Identifier: GPL-3.0-or-later
"""The feature's flags, its percentage and its kill switch."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    KILL_SWITCH_ANNOTATION,
    KILL_SWITCH_EPOCH_ANNOTATION,
    Object,
)
from sandbox.kubernetes.controllers.objects import terminating

from ..platform import FLAGS, FLAGS_OFF, NAMESPACE, PERCENTAGE, SCHEDULE
from .history import LEASE, History, Write, annotations_of, epoch_of
from .sentences import STAYS_KILLED, STAYS_OFF, STEP_BY_STEP, TRUE_CLAIMS

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did

STEPS = [0, *(one["percentage"] for one in SCHEDULE)]


class FlagInvariants:
    def __init__(self, history: History) -> None:
        self._history = history

    def written(self, write: Write) -> None:
        if write.name != FLAGS or not write.ours or write.after is None:
            return
        after, before = write.after, write.before or {"metadata": {}}
        was, now = _switch(before), _switch(after)
        old_data, data = before.get("data") or {}, after.get("data") or {}
        if was is not None:
            module, params = self._history.doing(write.by)
            resets = (module == "kill_switch" and params["state"] == "reset") or (
                params.get("kill_switch") == "reset_automatic" and bool(was.get("automatic"))
            )
            self._history.check(
                STAYS_KILLED,
                now is not None or resets,
                f"{write.by} took the switch away with {module} {params}",
            )
            epoch = int(annotations_of(before).get(KILL_SWITCH_EPOCH_ANNOTATION, "0"))
            if was.get("automatic") and params.get("fence"):
                self._history.check(
                    STAYS_OFF,
                    now is not None or params["fence"] > epoch,
                    f"{write.by} of epoch {params['fence']} reset what was set at epoch {epoch}",
                )
        for name, off in ((now or {}).get("flags") or {}).items():
            if old_data.get(name) != data.get(name):
                self._history.check(
                    STAYS_KILLED,
                    data.get(name) == off,
                    f"{write.by} set {name} to {data.get(name)}",
                )
        old, new = _number(old_data.get(PERCENTAGE)), _number(data.get(PERCENTAGE))
        if new > old:
            self._history.check(
                STEP_BY_STEP,
                old in STEPS and new in STEPS[: STEPS.index(old) + 2],
                f"{write.by} raised it from {old} to {new}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module not in ("feature_flags", "kill_switch") or did.failed:
            return
        if self._history.others_wrote("configmaps", FLAGS, did, process.name):
            return
        if did.module == "feature_flags":
            self._check_flags(did)
        elif did.params["state"] == "set":
            if did.params["automatic"]:
                self._check_meant(process, did)
            self._check_switched_off(did)

    def _check_flags(self, did: Did) -> None:
        data = (self._history.find("configmaps", FLAGS) or {}).get("data") or {}
        for name, value in did.result["asked"].items():
            if name not in did.result["left_off"]:
                self._history.check(
                    TRUE_CLAIMS,
                    data.get(name) == value,
                    f"{name} was set to {value}, and is {data.get(name)}",
                )

    def _check_meant(self, process: Process, did: Did) -> None:
        """A switch that is set automatically names every holder of the lock that it could see."""
        if any(one.actor == process.name for one in self._history.world.befell):
            return
        flags = t.cast("Object", self._history.find("configmaps", FLAGS))
        if not (_switch(flags) or {}).get("automatic"):
            return
        epochs = [
            epoch_of(one.after)
            for one in self._history.writes("leases", LEASE)
            if one.at < did.began and one.after is not None
        ]
        named = int(annotations_of(flags).get(KILL_SWITCH_EPOCH_ANNOTATION, "0"))
        self._history.check(
            STAYS_OFF,
            named >= max(epochs, default=0),
            f"{process.name} set the switch for epoch {named} of {epochs}",
        )

    def _check_switched_off(self, did: Did) -> None:
        off = {name: str(value).lower() for name, value in FLAGS_OFF.items()}
        for consumer in did.params["consumers"]:
            for record in self._history.world.store.records("pods", NAMESPACE):
                body = record.body
                if body["metadata"]["labels"].get("app") != consumer or terminating(body):
                    continue
                life = self._history.world.kubelet.lives.get(body["metadata"]["uid"])
                if life is None or "running" not in life.containers[0].state:
                    continue
                has = {one: life.environment.get(one) for one in off}
                self._history.check(
                    TRUE_CLAIMS,
                    has == off,
                    f"the kill switch succeeded, and {life.name} has {has}",
                )


def _switch(body: Object) -> Object | None:
    text = annotations_of(body).get(KILL_SWITCH_ANNOTATION)
    return None if text is None else t.cast("Object", json.loads(text))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
