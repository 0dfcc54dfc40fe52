# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe the ramp and write its next step, in the compare-and-swap write of the flags.

Apply the watch's verdict to a step: good, held, or back to the step before. Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._cluster import RAMP_ANNOTATION, Cluster, MonotonicClock
from .._errors import ConflictError, InputError
from .._flags.apply import KillSwitch, decide_flags, observe_flags
from .._flags.plan import FlagsMap, FlagsPlan, Wish
from .._formats import shortened
from .._lock.apply import LEASE, WallClock, lease_check_for, read_freeze
from .._lock.models import Lock
from .._lock.plan import describe as describe_lock
from .._lock.plan import looks_abandoned
from .._run_process import Alive, never_alive
from .._time import format_time, now
from . import plan as ramp
from .options import describe, sentence
from .plan import RampFacts, RampPlan, RampSchedule, RampState, StepRequest

_REASONS = 8


@dataclass(frozen=True)
class WatchFinding:
    """The watch's verdict on `percentage`. `since`: the time that step began, None if unknown.

    `began`: the start of the ramp in its release's record. A breach then counts for that start, whatever clock wrote
    it.
    """

    percentage: int
    verdict: str
    by: str
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    began: datetime | None = None


def judge(schedule: RampSchedule, facts: RampFacts, finding: WatchFinding) -> RampPlan:
    """Raises ConflictError when the running percentage is not the watched one."""
    standing = ramp.stand(schedule, facts, ramp.Start())
    state = standing.state
    reasons = tuple(shortened(reason, ramp.REASON) for reason in finding.reasons[:_REASONS])
    target = schedule.following(standing.percentage) if standing.percentage is not None else None
    if _is_stored(state, finding, standing.percentage):
        return RampPlan(
            ramp.NONE, standing, state, target, ramp.for_now(schedule, facts, state, target), ()
        )
    if standing.percentage != finding.percentage:
        raise ConflictError(
            f"{finding.percentage} % was watched, but {facts.value or 0} % is set now, so the "
            f"verdict {finding.verdict!r} does not apply and was not stored."
            f"{' ' + facts.killed + '.' if facts.killed else ''}"
        )
    if finding.since is not None and format_time(finding.since) != format_time(state.since):
        raise ConflictError(
            f"{finding.percentage} % was changed and set again during the watch, at "
            f"{format_time(state.since)}, so the verdict {finding.verdict!r} was not stored: "
            "watch it again."
        )
    why = "; ".join(reasons)
    if finding.verdict == ramp.ROLLBACK:
        to = schedule.preceding(finding.percentage)
        begun = replace(state, started=max(state.started, finding.began or state.started))
        after = begun.at(schedule, to, facts.now, holder=finding.by, breach=reasons).noted(
            ramp.BREACHED, (finding.percentage, to), facts.now, finding.by, why
        )
        return RampPlan(ramp.LOWER, standing, after, target, (), standing.notes)
    after = replace(state, verdict=finding.verdict, reasons=reasons, holder=finding.by)
    if finding.verdict == ramp.HOLD and state.verdict == ramp.ROLLBACK:
        # A watch that cannot tell lifts no breach.
        after = replace(after, verdict=ramp.ROLLBACK, reasons=state.reasons)
    if finding.verdict == ramp.HOLD and (state.verdict, state.reasons) != (ramp.HOLD, reasons):
        after = after.noted(ramp.HELD, (finding.percentage,) * 2, facts.now, finding.by, why)
    reasons_against = ramp.for_now(schedule, facts, after, target)
    return RampPlan(ramp.NONE, standing, after, target, reasons_against, standing.notes)


def _is_stored(state: RampState, finding: WatchFinding, percentage: int | None) -> bool:
    """Whether this very verdict is stored already: the run that stored it may have died right after."""
    if finding.verdict == ramp.ROLLBACK:
        last = [(entry.what, entry.before, entry.to) for entry in state.history[-1:]]
        breached = last == [(ramp.BREACHED, finding.percentage, percentage)]
        return breached and state.verdict == ramp.ROLLBACK
    return (
        finding.verdict == ramp.PROCEED
        and percentage == finding.percentage
        and state.verdict == ramp.PROCEED
    )


TRUE = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True)
class RampFlags:
    """Where the percentage stands, and which flag switches the feature on at all, "" for none."""

    config_map: str
    flag: str
    enabled_by: str = ""


class RampOutcome(t.NamedTuple):
    plan: RampPlan
    flags: FlagsPlan


@dataclass(frozen=True)
class Ramp:
    """`fence` is the epoch at which this run took the deploy lock, 0 if it did not."""

    cluster: Cluster
    place: RampFlags
    schedule: RampSchedule
    fence: int = 0
    lock: str = LEASE
    alive: Alive = never_alive
    wall: WallClock = now

    def look(self, request: StepRequest) -> tuple[RampPlan, bool]:
        """The plan, and whether it needs the lock: its present holder may give it back until then."""
        facts = self._observe(observe_flags(self.cluster, self.place.config_map), request)
        ramp_plan, alone = (
            ramp.plan(self.schedule, view, request) for view in (facts, replace(facts, held=""))
        )
        return ramp_plan, alone.action in (ramp.RAISE, ramp.WATCH)

    def step(self, request: StepRequest, *, check_mode: bool) -> RampOutcome:
        """Raises RampRefusedError with every reason why the percentage must not rise."""

        def decide(flags: FlagsMap) -> tuple[RampPlan, int]:
            ramp_plan = ramp.plan(self.schedule, self._observe(flags, request), request)
            if ramp_plan.action == ramp.REFUSE:
                raise ramp.RampRefusedError(
                    f"{sentence(self.schedule, ramp_plan)} Nothing was changed.",
                    **describe(self.schedule, ramp_plan),
                )
            asks = ramp_plan.action in (ramp.RAISE, ramp.WATCH) and not check_mode
            return ramp_plan, self._hold_lock() if asks else 0

        return self._write(decide, check_mode=check_mode)

    def judge(self, finding: WatchFinding, *, check_mode: bool) -> RampOutcome:
        """Only a verdict that lets users in asks for the lock."""

        def decide(flags: FlagsMap) -> tuple[RampPlan, int]:
            ramp_plan = judge(self.schedule, observe_ramp(flags, self.place, self.wall()), finding)
            asks = finding.verdict == ramp.PROCEED and not check_mode
            return ramp_plan, self._hold_lock() if asks else 0

        return self._write(decide, check_mode=check_mode)

    def _write(
        self, decide: t.Callable[[FlagsMap], tuple[RampPlan, int]], *, check_mode: bool
    ) -> RampOutcome:
        last: list[RampPlan] = []

        def wish(flags: FlagsMap) -> Wish:
            ramp_plan, fence = decide(flags)
            last[:] = [ramp_plan]
            written = ramp_plan.writes(flags.annotations.get(RAMP_ANNOTATION))
            return Wish(
                flags={self.place.flag: str(ramp_plan.after.percentage)} if ramp_plan.moves else {},
                annotations={} if written is None else {RAMP_ANNOTATION: written},
                fence=fence,
            )

        written = decide_flags(
            self.cluster,
            self.place.config_map,
            wish,
            check_mode=check_mode,
        )
        return RampOutcome(last[0], written)

    def _hold_lock(self) -> int:
        """The epoch under which this run may let users in."""
        if not self.fence:
            raise InputError(
                "Option 'fence' is missing: going up needs the deploy lock. Take it with "
                "easymo.deploy.deploy_lock, and pass its 'fence'."
            )
        lock = lease_check_for(self.cluster, self.fence, clock=MonotonicClock(), name=self.lock)
        lock.check()
        return self.fence

    def _observe(self, flags: FlagsMap, request: StepRequest) -> RampFacts:
        """The ramp's state. A step down needs no lock, so the lock is not read."""
        facts = observe_ramp(flags, self.place, self.wall())
        if ramp.is_down(facts, request.percentage):
            return facts
        freeze = read_freeze(self.cluster, self.wall())
        return replace(facts, held=self._held_by_another(), frozen=str(freeze) if freeze else "")

    def _held_by_another(self) -> str:
        body = self.cluster.read("Lease", self.lock)
        if body is None:
            return ""
        lock = Lock.from_json(body)
        ours = bool(self.fence) and lock.fence == self.fence
        dead = lock.run is not None and self.alive(lock.run) is False
        if not lock.holder or ours or dead or looks_abandoned(lock, self.wall()):
            return ""
        return describe_lock(lock)


def observe_ramp(flags: FlagsMap, place: RampFlags, at: datetime) -> RampFacts:
    """The ramp's state by the flags alone."""
    enabled = flags.data.get(place.enabled_by, "false").strip().lower() in TRUE
    switch = KillSwitch.from_annotations(flags.annotations)
    return RampFacts(
        value=flags.data.get(place.flag),
        enabled=enabled or not place.enabled_by,
        annotation=flags.annotations.get(RAMP_ANNOTATION),
        now=at,
        killed=str(switch) if switch else "",
        managers=flags.managers.get(place.flag, ()),
    )
