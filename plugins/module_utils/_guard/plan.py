# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the guard does about what it found: nothing, one step down, or the kill switch. Pure.

One act answers all causes of a look. No cause is answered twice, and a step down gets the time to take effect.
"""

from __future__ import annotations

from datetime import datetime

from .._time import parse_time
from .memory import Memory
from .models import (
    KILL_SWITCH,
    METRIC,
    STEP_DOWN,
    Acts,
    Cause,
    Choice,
    Observation,
    Place,
    Rules,
)


def choose(
    seen: Observation, acts: Acts, memory: Memory, place: Place, rules: Rules, now: datetime
) -> Choice:
    """`acts` and `place` as they are at the moment of the write."""
    if not place.users or place.killed:
        return Choice()
    open_causes = [
        one
        for one in seen.causes
        if one.calls_for in (STEP_DOWN, KILL_SWITCH)
        and not memory.answered(one.key, acts)
        # What users of another step met says nothing of those who are in now.
        and (not one.key.startswith(f"{METRIC} ") or seen.step == place.step)
    ]
    if any(one.calls_for == KILL_SWITCH for one in open_causes):
        return Choice(KILL_SWITCH, tuple(open_causes))
    if not open_causes or place.percentage is None:
        return Choice(waiting=tuple(open_causes))
    if not settled(acts, rules, now):
        return Choice(waiting=tuple(open_causes))
    return Choice(STEP_DOWN, tuple(open_causes))


def settled(acts: Acts, rules: Rules, now: datetime) -> bool:
    """Whether the last act had its time. One that a wrong clock dates in the future had none yet."""
    at = parse_time(acts.acts[-1].at) if acts.acts else None
    return at is None or (now - at).total_seconds() >= rules.settle


def lasting(
    seen: Observation, acts: Acts, memory: Memory, rules: Rules, now: datetime
) -> tuple[tuple[str, Cause], ...]:
    """The causes that an act answered and that last although it had its time, each with the id of the act."""
    if not settled(acts, rules, now):
        return ()
    found: list[tuple[str, Cause]] = []
    for one in seen.causes:
        act = acts.of(one.key)
        if act is not None and memory.answered(one.key, acts):
            found.append((act.id, one))
    return tuple(found)
