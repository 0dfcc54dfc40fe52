# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploy lock, and what a run writes that has lost it."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from .. import plan
from .history import LEASE, History, Write, epoch_of, fence_of, holder_of
from .sentences import (
    BEGINS_NOTHING,
    EPOCHS_RISE,
    FENCED,
    LATER_STAYS,
    LOCK_IS_KEPT,
    LOST_IS_LOST,
    ONE_HOLDER,
    TRUE_CLAIMS,
)

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did

ADMITTED = 6.0
"""Seconds for which a look at the lock counts, and one call."""
STOPS = {plan.PAUSE_BEFORE, plan.PAUSE_AFTER, plan.LATE, plan.SLOW}


class LockInvariants:
    def __init__(self, history: History) -> None:
        self._history = history
        self._holders: dict[int, tuple[str, str]] = {}
        self.after_loss: dict[str, float] = {}
        """The latest write of a run whose lock was another's by then, by what had befallen it."""

    def written(self, write: Write) -> None:
        if write.plural == "leases":
            if write.after is not None:
                self._lease_written(write)
            return
        module, params = self._history.doing(write.by)
        if write.plural == "configmaps" and write.ours and write.before and write.after:
            self._config_map_written(write, params.get("fence") or 0)
        if self._history.world.epochs.get(write.by) and module != "kill_switch":
            self._history.check(
                BEGINS_NOTHING,
                not self._history.lost_before(write.by),
                f"{write.by} lost the lock, and {module} wrote {write.plural}/{write.name}",
            )
        if write.plural == "deployments" and write.ours and write.before and write.after:
            self._note_loss(write)

    def _config_map_written(self, write: Write, epoch: int) -> None:
        before, after = (
            fence_of(t.cast("Object", write.before)),
            fence_of(t.cast("Object", write.after)),
        )
        self._history.check(
            EPOCHS_RISE, after >= before, f"the epoch on {write.name} fell from {before} to {after}"
        )
        # A ramp goes down without the lock.
        if epoch and self._history.doing(write.by)[0] != "feature_ramp":
            self._history.check(
                FENCED,
                after == epoch,
                f"{write.by} wrote {write.name} under {epoch}, and it has {after}",
            )
            self._history.check(
                LATER_STAYS,
                before <= epoch,
                f"{write.by} wrote {write.name} under {epoch}, and it had {before}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module != "deploy_lock" or did.failed or did.params["state"] != "held":
            return
        lease = self._history.find("leases", LEASE)
        epoch = 0 if lease is None else epoch_of(lease)
        asked, given = did.params["fence"], did.result["fence"]
        self._history.check(
            TRUE_CLAIMS,
            not asked or given == asked,
            f"{process.name} lost epoch {asked} and goes on with {given}",
        )
        self._history.check(
            TRUE_CLAIMS, epoch >= given, f"epoch {given} was claimed, and it is {epoch}"
        )

    def _lease_written(self, write: Write) -> None:
        after, before = t.cast("t.Any", write.after), write.before
        epoch, holder = epoch_of(after), holder_of(after)
        if before is not None:
            self._history.check(
                EPOCHS_RISE,
                epoch >= epoch_of(before),
                f"the lock fell from {epoch_of(before)} to {epoch}",
            )
            if holder_of(before)[0] and holder_of(before) != holder:
                self._left(write, holder_of(before)[1])
        if holder[0]:
            known = self._holders.setdefault(epoch, holder)
            self._history.check(
                ONE_HOLDER, known == holder, f"epoch {epoch} was {known}'s and is {holder}'s"
            )

    def _left(self, write: Write, run: str) -> None:
        """It was another's, or is free now."""
        world = self._history.world
        processes = {str(one.pid): one for one in world.processes}
        held = processes.get(run.partition(" ")[0])
        if held is None or not held.alive or write.by.partition(".")[0] == held.name:
            return
        keepers = [one for one in processes.values() if one.name == f"{held.name}.keeper"]
        troubled = {one.actor for one in world.befell}
        if not any(one.alive for one in keepers) or troubled & {held.name, f"{held.name}.keeper"}:
            return
        _module, params = self._history.doing(write.by)
        self._history.check(
            LOCK_IS_KEPT,
            bool(params.get("force")) or params.get("purpose") == "undo",
            f"{write.by} took it from {held.name}, which lives",
        )

    def _note_loss(self, write: Write) -> None:
        """How long after another took the lock over a write of the former holder still came."""
        _module, params = self._history.doing(write.by)
        fence = params.get("fence") or 0
        if not fence:
            return
        for lease in reversed(self._history.writes("leases", LEASE)):
            if lease.after is None or epoch_of(lease.after) <= fence:
                break
            if lease.before is None or epoch_of(lease.before) != fence:
                continue
            kinds = {one.kind for one in self._history.world.befell if one.actor == write.by}
            why = "stopped" if kinds & STOPS else "unreachable" if kinds else "untroubled"
            late = write.at - lease.at
            self.after_loss[why] = max(self.after_loss.get(why, 0.0), late)
            if why == "untroubled":
                self._history.check(
                    LOST_IS_LOST,
                    late <= ADMITTED,
                    f"{write.by} wrote {late:.1f} s after it lost the lock",
                )
