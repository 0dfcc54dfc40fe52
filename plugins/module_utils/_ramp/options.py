# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a ramp, with the checks that their types cannot express, and its plan in words and as a result."""

from __future__ import annotations

import itertools
import typing as t
from datetime import timedelta

from .._cluster import RAMP_ANNOTATION
from .._errors import InputError
from .._flags.plan import FlagsMap
from .._module import refuse_below
from .._time import format_time
from . import plan as ramp
from .plan import RampPlan, RampReason, RampSchedule, RampState, RampStep

DAY = 86400
LONGEST = 3650 * DAY
"""Most seconds of a ramp: more is a mistake."""


def read_schedule(params: t.Mapping[str, t.Any]) -> RampSchedule:
    refuse_below(params, watch_duration=0, day_length=0)
    steps = tuple(_read_step(entry) for entry in params["schedule"])
    if not steps:
        raise InputError("Option 'schedule' has no steps: add one, like {day: 1, percentage: 1}.")
    for before, after in itertools.pairwise(steps):
        _refuse_falling(before, after)
    # A calendar would end over them.
    last = steps[-1].day
    if params["watch_duration"] > LONGEST or last * params["day_length"] > LONGEST:
        raise InputError(
            f"The ramp takes longer than {LONGEST / DAY:g} days, with day {last} of {params['day_length']:g} s and "
            f"watches of {params['watch_duration']:g} s: correct 'schedule', 'day_length' or 'watch_duration'."
        )
    return RampSchedule(
        steps,
        watch=timedelta(seconds=params["watch_duration"]),
        day=timedelta(seconds=params["day_length"]),
    )


def _read_step(entry: t.Mapping[str, t.Any]) -> RampStep:
    day, percentage, users = entry["day"], entry["percentage"], entry["users"]
    if any(isinstance(value, bool) for value in (day, percentage, users)):
        raise InputError(f"A step of the schedule has a boolean as number: {dict(entry)}.")
    if not 1 <= percentage <= 100:
        raise InputError(
            f"A step of the schedule has {percentage} %: it must be from 1 to 100, for 0 % is before the first."
        )
    if day < 1 or (users is not None and users < 0):
        raise InputError(
            f"The step of {percentage} % has day {day} and {users} users: days count from 1, users from 0."
        )
    must_detect = entry["must_detect"]
    if must_detect is not None and (must_detect <= 1 or percentage == 100):
        why = "no user is left to compare with" if percentage == 100 else "it is more than 1"
        raise InputError(f"The step of {percentage} % has must_detect {must_detect:g}: {why}.")
    return RampStep(day, percentage, users, must_detect)


def _refuse_falling(before: RampStep, after: RampStep) -> None:
    """Users must stay in while the ramp goes up, and days must not fall."""
    if after.percentage <= before.percentage:
        raise InputError(
            f"The schedule goes from {before.percentage} % to {after.percentage} %: each step must have more "
            "than the one before."
        )
    if after.day < before.day:
        raise InputError(
            f"The schedule has {after.percentage} % on day {after.day}, after {before.percentage} % on day "
            f"{before.day}: days must not fall."
        )
    if before.users is not None and after.users is not None and after.users < before.users:
        raise InputError(
            f"The schedule has {after.users} users at {after.percentage} %, after {before.users} at "
            f"{before.percentage} %: going up only adds users."
        )


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


def to_diff(flag: str, flags: FlagsMap, plan: RampPlan) -> dict[str, t.Any]:
    """From `flags`, the ones before. Without the history, which only grows."""
    annotation, present = flags.annotations.get(RAMP_ANNOTATION), flags.data.get(flag)
    moved = plan.writes(annotation)
    before = _face(RampState.from_annotation(annotation))
    value = str(plan.after.percentage) if plan.moves else present
    return {
        "before": {flag: present, "ramp": before},
        "after": {flag: value, "ramp": _face(plan.after) if moved else before},
    }


def sentence(schedule: RampSchedule, plan: RampPlan, *, moved: bool = False) -> str:
    """`moved`: whether the step was taken; false in check mode."""
    at = place(schedule, plan.standing.percentage)
    if plan.moves:
        way = "up" if plan.action == ramp.RAISE else "down"
        users = _users(plan.target) if plan.action == ramp.RAISE else ""
        begin = way.capitalize() if moved else f"Would go {way}"
        return f"{begin} from {at} to {place(schedule, plan.percentage)}{users}."
    if plan.action == ramp.DONE:
        return f"The ramp is complete: {at}, and it is good."
    if plan.action == ramp.NONE and plan.after.verdict == ramp.HOLD:
        # The watch that held it names the reason and the release.
        return f"The ramp is held at {at}."
    sentence_start = {
        ramp.REFUSE: f"The ramp stays at {at}",
        ramp.WATCH: f"{at} must be watched for {schedule.watch.total_seconds():g} s",
        ramp.NONE: f"The ramp is at {at}",
    }.get(plan.action, f"The ramp is at {at}, and it is good")
    if plan.target is None:
        return f"{sentence_start}{_because(plan.reasons)}."
    to = f"{plan.target.percentage} %, step {schedule.number(plan.target.percentage)}"
    return f"{sentence_start}. Next is {to}{_users(plan.target)}{_because(plan.reasons) or ', allowed now'}."


def went_back(before: int, to: int, why: str) -> str:
    """What people are told of a step that was left downwards for a breach, and what comes next."""
    # 0 % has no users to watch.
    then = f"release it with {ramp.RELEASE}"
    if to:
        then = "playbooks/ramp.yml watches this step before it goes up"
    return f"{before} % went back to {to} %, for {why}. Find the cause first. Then {then}."


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
    face = state.to_json() if state else {}
    face.pop("history", None)
    return face
