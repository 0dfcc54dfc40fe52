# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in words and as a result."""

from __future__ import annotations

import typing as t

from .._time import format_time
from .models import HOLD, RampFacts, RampSchedule, RampState, RampStep
from .plan import DONE, NONE, RAISE, REFUSE, WATCH, RampPlan, RampReason


def describe(schedule: RampSchedule, plan: RampPlan, *, moved: bool = False) -> dict[str, t.Any]:
    return {
        "action": plan.action,
        "sentence": sentence(schedule, plan, moved=moved),
        "before": {
            "percentage": plan.standing.percentage,
            "step": schedule.number(plan.standing.percentage),
        },
        "percentage": plan.percentage,
        "step": schedule.number(plan.percentage),
        "steps": len(schedule.steps),
        "next": _next(schedule, plan),
        "notes": list(plan.notes),
        "ramp": plan.after.to_json(),
    }


def to_diff(flag: str, facts: RampFacts, plan: RampPlan) -> dict[str, t.Any]:
    """Without the history, which only grows."""
    written = plan.writes(facts.annotation)
    state = RampState.from_annotation(facts.annotation)
    before = {flag: facts.value, "ramp": _face(state)}
    after = {
        flag: str(plan.after.percentage) if plan.moves else facts.value,
        "ramp": _face(plan.after) if written else before["ramp"],
    }
    return {"before": before, "after": after}


def sentence(schedule: RampSchedule, plan: RampPlan, *, moved: bool = False) -> str:
    """`moved`: whether the step was taken; false in check mode."""
    at = place(schedule, plan.standing.percentage)
    if plan.moves:
        way = "up" if plan.action == RAISE else "down"
        users = _users(plan.target) if plan.action == RAISE else ""
        begin = way.capitalize() if moved else f"Would go {way}"
        return f"{begin} from {at} to {place(schedule, plan.percentage)}{users}."
    if plan.action == DONE:
        return f"The ramp is complete: {at}, and it is good."
    if plan.action == NONE and plan.after.verdict == HOLD:
        # The watch that held it names the reason and the release.
        return f"The ramp is held at {at}."
    sentence_start = {
        REFUSE: f"The ramp stays at {at}",
        WATCH: f"{at} must be watched for {schedule.watch.total_seconds():g} s",
        NONE: f"The ramp is at {at} already",
    }.get(plan.action, f"The ramp is at {at}, and it is good")
    if plan.target is None:
        return f"{sentence_start}{_because(plan.reasons)}."
    to = f"{plan.target.percentage} %, step {schedule.number(plan.target.percentage)}"
    return f"{sentence_start}. Next is {to}{_users(plan.target)}{_because(plan.reasons) or ', allowed now'}."


def place(schedule: RampSchedule, percentage: int | None) -> str:
    number = schedule.number(percentage)
    if percentage is None:
        return "an invalid percentage"
    if not number:
        return f"{percentage} %"
    return f"{percentage} %, step {number} of {len(schedule.steps)}"


def _because(reasons: t.Sequence[RampReason]) -> str:
    return f", but {'; '.join(reason.text for reason in reasons)}" if reasons else ""


def _users(step: RampStep | None) -> str:
    return f", about {step.users} users" if step and step.users is not None else ""


def _next(schedule: RampSchedule, plan: RampPlan) -> dict[str, t.Any]:
    """The next step up; {} after the last step."""
    if plan.target is None:
        return {}
    return {
        "percentage": plan.target.percentage,
        "step": schedule.number(plan.target.percentage),
        "day": plan.target.day,
        "users": plan.target.users,
        "may": not plan.reasons,
        "not_before": format_time(plan.not_before) if plan.not_before else "",
        "reasons": [
            {
                "kind": reason.kind,
                "text": reason.text,
                "until": format_time(reason.until) if reason.until else "",
            }
            for reason in plan.reasons
        ],
    }


def _face(state: RampState | None) -> dict[str, t.Any]:
    if state is None:
        return {}
    face = state.to_json()
    del face["history"]
    return face
