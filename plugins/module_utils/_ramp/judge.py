# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the watch's verdict to a step: good, held, or back to the step before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from .._errors import ConflictError
from .._time import format_time
from .models import (
    BREACHED,
    HELD,
    HOLD,
    PROCEED,
    ROLLBACK,
    RampEntry,
    RampSchedule,
    RampState,
    shorten,
)
from .plan import LOWER, NONE, RampPlan, for_now
from .status import RampFacts, Start, stand

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
    standing = stand(schedule, facts, Start())
    state, reasons = standing.state, tuple(shorten(reason) for reason in finding.reasons[:_REASONS])
    target = schedule.following(standing.percentage) if standing.percentage is not None else None
    if _is_stored(state, finding, standing.percentage):
        return RampPlan(NONE, standing, state, target, for_now(schedule, facts, state, target), ())
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
    if finding.verdict == ROLLBACK:
        after = _back(schedule, facts, state, finding, reasons)
        return RampPlan(LOWER, standing, after, target, (), standing.notes)
    after = replace(state, verdict=finding.verdict, reasons=reasons, holder=finding.by)
    if finding.verdict == HOLD and (state.verdict, state.reasons) != (HOLD, reasons):
        after = after.with_entry(_entry(HELD, facts, finding, finding.percentage, reasons))
    reasons_against = for_now(schedule, facts, after, target)
    return RampPlan(NONE, standing, after, target, reasons_against, standing.notes)


def _is_stored(state: RampState, finding: WatchFinding, percentage: int | None) -> bool:
    """Whether this very verdict is stored already: the run that stored it may have died right after."""
    if finding.verdict == ROLLBACK:
        last = state.history[-1] if state.history else None
        return (
            last is not None
            and (last.what, last.before, last.to) == (BREACHED, finding.percentage, percentage)
            and state.verdict == ROLLBACK
        )
    return (
        finding.verdict == PROCEED and percentage == finding.percentage and state.verdict == PROCEED
    )


def _back(
    schedule: RampSchedule,
    facts: RampFacts,
    state: RampState,
    finding: WatchFinding,
    reasons: tuple[str, ...],
) -> RampState:
    to = schedule.preceding(finding.percentage)
    begun = replace(state, started=max(state.started, finding.began or state.started))
    back = begun.at(schedule, to, facts.now, holder=finding.by, verdict=ROLLBACK, reasons=reasons)
    return back.with_entry(_entry(BREACHED, facts, finding, to, reasons))


def _entry(
    what: str, facts: RampFacts, finding: WatchFinding, to: int, reasons: tuple[str, ...]
) -> RampEntry:
    return RampEntry(
        what=what,
        before=finding.percentage,
        to=to,
        at=format_time(facts.now),
        by=finding.by,
        reason="; ".join(reasons),
    )
