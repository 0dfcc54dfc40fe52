# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the guard does about what it found: nothing, one step down, or the kill switch. Pure.

One act answers all causes of a look. No cause is answered twice, and a step down gets the time to take effect.
"""

from __future__ import annotations

from datetime import datetime

from .._time import parse_time
from .memory import GuardMemory
from .models import (
    KILL_SWITCH,
    METRIC,
    STEP_DOWN,
    Acts,
    Choice,
    GuardCause,
    Observation,
    RampPosition,
    Rules,
)


def choose(
    observation: Observation,
    acts: Acts,
    memory: GuardMemory,
    place: RampPosition,
    rules: Rules,
    now: datetime,
) -> Choice:
    """`acts` and `place` as they are at the moment of the write."""
    if not place.users or place.killed:
        return Choice()
    open_causes = [
        cause
        for cause in observation.causes
        if cause.calls_for in (STEP_DOWN, KILL_SWITCH)
        and not memory.answered(cause.key, acts)
        # Metrics of another step's users say nothing about the present ones.
        and (not cause.key.startswith(f"{METRIC} ") or observation.step == place.step)
    ]
    if any(cause.calls_for == KILL_SWITCH for cause in open_causes):
        return Choice(KILL_SWITCH, tuple(open_causes))
    if not open_causes or place.percentage is None:
        return Choice(waiting=tuple(open_causes))
    if not settled(acts, rules, now):
        return Choice(waiting=tuple(open_causes))
    return Choice(STEP_DOWN, tuple(open_causes))


def settled(acts: Acts, rules: Rules, now: datetime) -> bool:
    """Whether the last act had time to take effect. An act that a wrong clock dates in the future had none."""
    at = parse_time(acts.acts[-1].at) if acts.acts else None
    return at is None or (now - at).total_seconds() >= rules.settle


def lasting(
    observation: Observation, acts: Acts, memory: GuardMemory, rules: Rules, now: datetime
) -> tuple[tuple[str, GuardCause], ...]:
    """The causes that outlast an act against them after its time, each with the act's id."""
    if not settled(acts, rules, now):
        return ()
    answered: list[tuple[str, GuardCause]] = []
    for cause in observation.causes:
        act = acts.of(cause.key)
        if act is not None and memory.answered(cause.key, acts):
            answered.append((act.id, cause))
    return tuple(answered)
