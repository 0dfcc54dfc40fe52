# SPDX-License-Identifier: GPL-3.0-or-later
"""Look where the ramp stands, and write what was decided, in the compare-and-swap that the flags are written by."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._cluster import RAMP_ANNOTATION, Cluster, MonotonicClock
from .._errors import InputError
from .._flags.apply import decide_flags, observe_flags
from .._flags.flagd import Document
from .._flags.plan import FlagsMap, FlagsPlan, Wish
from .._flags.switch import KillSwitch
from .._lock.apply import LEASE, WallClock, read_freeze
from .._lock.fence import lease_check_for
from .._lock.models import Lock
from .._lock.plan import describe as describe_lock
from .._lock.plan import looks_abandoned
from .._run import Alive, never_alive
from .._time import now
from .describe import describe, sentence
from .judge import Finding, judge
from .models import PROCEED, RampRefusedError, Schedule
from .plan import RAISE, REFUSE, WATCH, Ask, RampPlan, is_down, plan
from .status import Seen

TRUE = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True)
class Place:
    """Where the percentage stands, and which flag switches the feature on at all, "" for none."""

    config_map: str
    flag: str
    enabled_by: str = ""


@dataclass(frozen=True)
class Done:
    seen: Seen
    plan: RampPlan
    flags: FlagsPlan


class Ramp:
    """`fence` is the epoch at which this run took the deploy lock, 0 if it did not."""

    def __init__(
        self,
        cluster: Cluster,
        place: Place,
        schedule: Schedule,
        *,
        document: Document | None = None,
        fence: int = 0,
        lock: str | None = None,
        alive: Alive = never_alive,
        wall: WallClock = now,
    ) -> None:
        self._cluster = cluster
        self._place = place
        self._schedule = schedule
        self._document = document
        self._fence = fence
        self._lock = lock or LEASE
        self._alive = alive
        self._wall = wall
        self._guard = lease_check_for(cluster, fence, clock=MonotonicClock(), name=self._lock)

    def look(self, ask: Ask) -> tuple[RampPlan, bool]:
        """What would be done, and whether it takes the lock: whoever holds it may give it back until then."""
        seen = self._see(observe_flags(self._cluster, self._place.config_map), ask)
        found, alone = (plan(self._schedule, one, ask) for one in (seen, replace(seen, held="")))
        return found, alone.action in (RAISE, WATCH)

    def step(self, ask: Ask, *, check_mode: bool) -> Done:
        """Raises RampRefusedError with every reason why the percentage must not rise."""

        def decide(flags: FlagsMap) -> tuple[Seen, RampPlan, int]:
            seen = self._see(flags, ask)
            found = plan(self._schedule, seen, ask)
            if found.action == REFUSE:
                raise RampRefusedError(
                    f"{sentence(self._schedule, found)} Nothing was changed.",
                    **describe(self._schedule, found),
                )
            asks = found.action in (RAISE, WATCH) and not check_mode
            return seen, found, self._hold_lock() if asks else 0

        return self._write(decide, check_mode=check_mode)

    def judge(self, finding: Finding, *, check_mode: bool) -> Done:
        """Only a verdict that lets users in asks for the lock."""

        def decide(flags: FlagsMap) -> tuple[Seen, RampPlan, int]:
            seen = see_flags(flags, self._place, self._wall())
            found = judge(self._schedule, seen, finding)
            asks = finding.verdict == PROCEED and not check_mode
            return seen, found, self._hold_lock() if asks else 0

        return self._write(decide, check_mode=check_mode)

    def _write(
        self, decide: t.Callable[[FlagsMap], tuple[Seen, RampPlan, int]], *, check_mode: bool
    ) -> Done:
        last: list[tuple[Seen, RampPlan]] = []

        def wish(flags: FlagsMap) -> Wish:
            seen, found, fence = decide(flags)
            last[:] = [(seen, found)]
            written = found.writes(seen.annotation)
            return Wish(
                flags={self._place.flag: str(found.after.percentage)} if found.moves else {},
                annotations={} if written is None else {RAMP_ANNOTATION: written},
                fence=fence,
            )

        written = decide_flags(
            self._cluster,
            self._place.config_map,
            wish,
            force=True,
            check_mode=check_mode,
            document=self._document,
        )
        seen, found = last[0]
        return Done(seen, found, written)

    def _hold_lock(self) -> int:
        """The epoch under which this run may let users in."""
        if not self._fence:
            raise InputError(
                "Option 'fence' is missing: going up needs the deploy lock. Take it with "
                "easymo.deploy.deploy_lock, and pass its fence."
            )
        self._guard.check()
        return self._fence

    def _see(self, flags: FlagsMap, ask: Ask) -> Seen:
        """Going down asks nobody, so the lock is not even looked at."""
        seen = see_flags(flags, self._place, self._wall())
        if is_down(seen, ask.percentage):
            return seen
        freeze = read_freeze(self._cluster, self._wall())
        return replace(seen, held=self._held_by_another(), frozen=str(freeze) if freeze else "")

    def _held_by_another(self) -> str:
        body = self._cluster.read("Lease", self._lock)
        if body is None:
            return ""
        lock = Lock.from_json(body)
        ours = bool(self._fence) and lock.fence == self._fence
        dead = lock.run is not None and self._alive(lock.run) is False
        if not lock.holder or ours or dead or looks_abandoned(lock, self._wall()):
            return ""
        return describe_lock(lock)


def see_flags(flags: FlagsMap, place: Place, at: datetime) -> Seen:
    """What the flags alone tell of the ramp."""
    enabled = flags.data.get(place.enabled_by, "false").strip().lower() in TRUE
    switch = KillSwitch.from_annotations(flags.annotations)
    return Seen(
        value=flags.data.get(place.flag),
        enabled=enabled or not place.enabled_by,
        annotation=flags.annotations.get(RAMP_ANNOTATION),
        now=at,
        killed=str(switch) if switch else "",
        managers=flags.managers.get(place.flag, ()),
    )
