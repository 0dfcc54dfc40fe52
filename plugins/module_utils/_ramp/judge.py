# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate's verdict makes of a step: good, held, or back to the step before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from .._errors import ConflictError
from .._time import format_time
from .models import BREACHED, HELD, HOLD, PROCEED, ROLLBACK, Entry, RampState, Schedule, shorten
from .plan import LOWER, NONE, RampPlan, for_now
from .status import Seen, Start, stand

_REASONS = 8


@dataclass(frozen=True)
class Finding:
    """What a watch found of `percentage`. `since` is when that step began, None if it was not told.

    `began`: when the ramp did, as its release's record has it. With it a breach counts for that beginning, by whatever
    clock that was written.
    """

    percentage: int
    verdict: str
    by: str
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    began: datetime | None = None


def judge(schedule: Schedule, seen: Seen, finding: Finding) -> RampPlan:
    """Raises ConflictError when another percentage runs than the one that was watched."""
    standing = stand(schedule, seen, Start())
    state, reasons = standing.state, tuple(shorten(one) for one in finding.reasons[:_REASONS])
    target = schedule.following(standing.percentage) if standing.percentage is not None else None
    if _told_already(state, finding, standing.percentage):
        return RampPlan(NONE, standing, state, target, for_now(schedule, seen, state, target), ())
    if standing.percentage != finding.percentage:
        raise ConflictError(
            f"{finding.percentage} % was watched, but {seen.value or 0} % is set now, so the "
            f"verdict {finding.verdict!r} does not apply and was not stored."
            f"{' ' + seen.killed + '.' if seen.killed else ''}"
        )
    if finding.since is not None and format_time(finding.since) != format_time(state.since):
        raise ConflictError(
            f"{finding.percentage} % was changed and set again during the watch, at "
            f"{format_time(state.since)}, so the verdict {finding.verdict!r} was not stored: "
            "watch it again."
        )
    if finding.verdict == ROLLBACK:
        after = _back(schedule, seen, state, finding, reasons)
        return RampPlan(LOWER, standing, after, target, (), standing.notes)
    after = replace(state, verdict=finding.verdict, reasons=reasons, holder=finding.by)
    if finding.verdict == HOLD and (state.verdict, state.reasons) != (HOLD, reasons):
        after = after.with_entry(_entry(HELD, seen, finding, finding.percentage, reasons))
    reasons_against = for_now(schedule, seen, after, target)
    return RampPlan(NONE, standing, after, target, reasons_against, standing.notes)


def _told_already(state: RampState, finding: Finding, percentage: int | None) -> bool:
    """Whether this very verdict was kept before: the run that kept it may not have lived to know."""
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
    schedule: Schedule,
    seen: Seen,
    state: RampState,
    finding: Finding,
    reasons: tuple[str, ...],
) -> RampState:
    to = schedule.preceding(finding.percentage)
    begun = replace(state, started=max(state.started, finding.began or state.started))
    back = begun.at(schedule, to, seen.now, holder=finding.by, verdict=ROLLBACK, reasons=reasons)
    return back.with_entry(_entry(BREACHED, seen, finding, to, reasons))


def _entry(what: str, seen: Seen, finding: Finding, to: int, reasons: tuple[str, ...]) -> Entry:
    return Entry(
        what=what,
        before=finding.percentage,
        to=to,
        at=format_time(seen.now),
        by=finding.by,
        reason="; ".join(reasons),
    )
