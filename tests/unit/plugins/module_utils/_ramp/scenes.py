"""A ramp on some day of its life, in one line."""

import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    PROCEED,
    RampFacts,
    RampPlan,
    RampSchedule,
    RampState,
    RampStep,
    StepRequest,
    plan,
)

DAY_1 = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCHEDULE = RampSchedule(
    steps=(
        RampStep(1, 1, 100),
        RampStep(2, 5, 500),
        RampStep(3, 10, 1000),
        RampStep(4, 25, 2500),
        RampStep(7, 50, 5000),
        RampStep(8, 75, 7500),
        RampStep(9, 90, 9000),
        RampStep(10, 100),
    ),
    watch=2 * HOUR,
)


def state_at(percentage: int, verdict: str = PROCEED, **changes: t.Any) -> RampState:
    """As the ramp wrote it when it took the step, on the step's day."""
    number = SCHEDULE.number(percentage) or 0
    since = SCHEDULE.begins(SCHEDULE.steps[max(0, number - 1)], DAY_1)
    state = RampState(
        step=number,
        percentage=percentage,
        started=DAY_1,
        since=since,
        watch_until=since + SCHEDULE.watch,
        holder="ann@here",
        verdict=verdict,
    )
    return replace(state, **changes)


def seen_at(
    day: float, value: str | int | None, state: RampState | None = None, **changes: t.Any
) -> RampFacts:
    """`day` counts from 1.0, the moment at which the ramp began."""
    facts = RampFacts(
        value=None if value is None else str(value),
        enabled=True,
        annotation=state.to_annotation() if state else None,
        now=DAY_1 + (day - 1) * DAY,
    )
    return replace(facts, **changes)


def planned(facts: RampFacts, percentage: int | None = None, **ask: t.Any) -> RampPlan:
    return plan(SCHEDULE, facts, StepRequest(by="bob@here", percentage=percentage, **ask))


def kinds(result: RampPlan) -> list[str]:
    return [reason.kind for reason in result.reasons]
