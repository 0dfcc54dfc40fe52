# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a release and what stands beside it in the cluster, for all that tells of it."""

from __future__ import annotations

import typing as t
from functools import cached_property

from .._availability.claims import facts_of
from .._cluster import GUARD_ANNOTATION, Cluster, MonotonicClock
from .._flags.apply import flags_now
from .._gate.store import watches_of
from .._guard.memory import Acts
from .._lock.apply import LEASE, Locking
from .._lock.models import LockClaim
from .._release.models import NO_RECORD
from .._release.record import Record
from .._release.store import ReleaseStore
from .._rollout.observer import observe_standings
from .._run_process import never_alive

Body = dict[str, t.Any]


class ReleaseView:
    """Each part is read when it is first needed, and once. Raises what the cluster raises.

    `at_work`: at the release of the deploy lock, where somebody holds it. `pinned`: what was pinned, by attempt, as
    earlier looks of the same run have read it.
    """

    def __init__(
        self,
        cluster: Cluster,
        release: str,
        *,
        at_work: bool = False,
        pinned: dict[int, Body] | None = None,
    ) -> None:
        self._cluster = cluster
        self._release = release
        self._at_work = at_work
        self._pinned = {} if pinned is None else pinned
        self._clock = clock = MonotonicClock()
        self._locking = Locking(
            cluster, LEASE, LockClaim(holder=""), clock=clock, alive=never_alive
        )

    @cached_property
    def lock(self) -> t.Any:
        return self._locking.read()

    @cached_property
    def freeze(self) -> str:
        """Its sentence, "" for none."""
        return str(self._locking.freeze() or "")

    @cached_property
    def _store(self) -> ReleaseStore:
        release = (self.lock.release if self._at_work else "") or self._release
        return ReleaseStore(self._cluster, release, clock=self._clock)

    @cached_property
    def record(self) -> Record | None:
        """None before there is one."""
        return self._store.read()

    @property
    def attempt(self) -> int:
        return self.record.attempt if self.record else 1

    @cached_property
    def pins(self) -> Body:
        if self.attempt in self._pinned:
            return self._pinned[self.attempt]
        pins = self._store.pins.of(self.attempt).to_summary()
        if pins["deployments"]:
            self._pinned[self.attempt] = pins
        return pins

    @cached_property
    def _pinned_maps(self) -> list[Body]:
        """As they are now, without those that are not there any more."""
        return [body for name in self.pins["config_maps"] if (body := self.config_map(name))]

    @cached_property
    def flags(self) -> Body:
        """Those of the ConfigMaps that are pinned."""
        return flags_now(self._pinned_maps)

    @property
    def guard_acts(self) -> list[Body]:
        """What the guard did in this attempt, as a record has it. It writes that beside the flags."""
        annotations = [body["metadata"].get("annotations") or {} for body in self._pinned_maps]
        return [
            {"what": act.what, "at": act.at, "before": act.before, "to": act.to, "why": act.why}
            for entry in annotations
            for act in Acts.from_annotation(entry.get(GUARD_ANNOTATION)).acts
            if (act.release, act.attempt) == (self._release, self.pins["attempt"])
        ]

    @cached_property
    def watches(self) -> Body:
        """What each gate has seen."""
        return watches_of(self._store, self.attempt) if self.record else {}

    @cached_property
    def availability(self) -> Body:
        return facts_of(self._store, self.attempt)

    @cached_property
    def deployments(self) -> list[Body]:
        return observe_standings(self._cluster, None)

    def config_map(self, name: str) -> Body | None:
        return self._cluster.read("ConfigMap", name) if name else None

    def to_result(self, *, evidence: bool = True) -> Body:
        """What the module release_info returns. Raises VerificationError for a damaged record."""
        return {
            "changed": False,
            "exists": self.record is not None,
            **(self.record.to_result(evidence=evidence) if self.record else NO_RECORD),
            "pins": self.pins,
            "flags": self.flags,
            "availability": self.availability,
        }
