# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that help from where a release stands, ready to paste. Pure."""

from __future__ import annotations

import typing as t

from .._lock.plan import FORCE
from .._release.models import ROLLBACK_PHASE
from .._terminal.commands import Typed
from .verdict import (
    BACK,
    FINE,
    IN_PROGRESS,
    INTERRUPTED,
    KILLED,
    NONE,
    ON_HOLD,
    STOPPED,
    UNFINISHED,
    Body,
    Verdict,
)

WATCH_PHASE = "monitoring"
"""Whose watch is decided without its name."""
DEPLOYED_NEXT = (ON_HOLD, STOPPED, INTERRUPTED, UNFINISHED, BACK)
"""Verdicts after which the next thing to do is a deployment, unless a rollback is half done."""
WHY = "-e \"reason='WHY'\""


class Next(t.NamedTuple):
    command: str
    why: str


def next_commands(
    told: Verdict,
    typed: Typed,
    *,
    left: t.Sequence[str],
    decides: bool,
    ramp: Body,
    kept_out_by: str = "",
) -> list[Next]:
    """The best one first. `left`: the phases that are not done. `decides`: whether a person may decide the hold.

    `kept_out_by`: who set the deploy lock by hand. It stops deployments, and no rollback.
    """
    rest = ["--tags", ",".join(left)] if left else []
    onward = Next(typed.line("deploy.yml", *rest), "go on from there")
    unlock = Next(
        typed.line("unlock.yml", FORCE),
        f"first ask {kept_out_by}, whose lock keeps deployments out",
    )
    back = Next(typed.line("rollback.yml"), "go back to what ran before")
    if told.word in (STOPPED, INTERRUPTED, ON_HOLD) and told.phase == ROLLBACK_PHASE:
        return [Next(typed.line("rollback.yml"), "finish the rollback")]
    gate = () if told.phase == WATCH_PHASE else (f"-e monitoring_gate={told.phase}",)
    decide = Next(
        typed.line("decide.yml", *gate, "-e decision=approve", "-e by=$USER", WHY),
        "decide it, then go on",
    )
    follow = Next(typed.line("status.yml", "-e follow=true"), "watch it to its end")
    if told.watching:
        return [decide._replace(why="decide it: the run goes on"), follow]
    first = [unlock] if kept_out_by and told.word in DEPLOYED_NEXT else []
    if told.word == ON_HOLD and decides:
        return [*first, onward._replace(why="look again"), decide, back]
    found: dict[str, list[Next]] = {
        IN_PROGRESS: [follow],
        ON_HOLD: [onward._replace(why="look again"), back],
        STOPPED: [
            onward._replace(why="when the cause is mended"),
            back,
            Next(typed.line("diagnose.yml"), "find the cause"),
        ],
        INTERRUPTED: [onward, back],
        UNFINISHED: [onward, back],
        KILLED: [
            Next(typed.line("kill_switch.yml", "-e reset=true", WHY), "when the cause is gone")
        ],
        BACK: [Next(typed.line("deploy.yml"), "the next attempt, when the cause is mended")],
        NONE: [Next(typed.line("deploy.yml", "--check --diff"), "see what it would change")],
        FINE: _up(typed, ramp),
    }
    return [*first, *found[told.word]]


def _up(typed: Typed, ramp: Body) -> list[Next]:
    onward: Body = ramp.get("next") or {}
    if not onward:
        return []
    if onward["may"]:
        why = f"go up to {onward['percentage']} % of users, allowed now"
    elif onward["not_before"]:
        why = f"go up to {onward['percentage']} % of users, not before {onward['not_before']}"
    else:
        why = f"go up to {onward['percentage']} % of users, not yet: {onward['reasons'][0]['text']}"
    return [Next(typed.line("ramp.yml"), why)]
