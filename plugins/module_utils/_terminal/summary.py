# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: each phase planned and actual, what failed, and what to type next."""

from __future__ import annotations

import typing as t

from .commands import Command, asked_for
from .models import Ending, Line, Planned, Stage, Tone
from .screen import Screen
from .words import bare, one_line, span

Row = tuple[str, str, str, str, Tone]
ENDINGS: t.Mapping[str, str] = {
    "done": "done",
    "failed": "failed",
    "interrupted": "was interrupted",
}
COLUMNS = ("", "planned", "took", "")
FEW = 2
"""Commands that a cause may ask for and each be a line of its own."""


def summary(screen: Screen, title: str, command: Command, ending: Ending, now: float) -> list[Line]:
    """All lines, of a run whose last phase has been closed."""
    if not screen.stages:
        return []
    headline = f"{one_line(title)} {ENDINGS[ending]} after {span(now - screen.started)}"
    good = ending == "done"
    return [
        Line(headline, "good" if good else "bad"),
        *table(screen, now),
        *cause(screen, ending),
        *(Line(text, "head") for text in next_commands(screen, command, ending)),
    ]


def table(screen: Screen, now: float) -> list[Line]:
    rows = list(_rows(screen))
    if len(rows) < 2:
        return []
    planned = sum(one.seconds for one in screen.plan) if _phases(screen) else 0
    took = now - screen.started + screen.earlier.total
    total: Row = ("in all", span(planned) if planned else "", span(took), _in_all(screen), "")
    every: list[Row] = [(*COLUMNS, "calm"), *rows, total]
    wide = [max(len(row[column]) for row in every) for column in range(3)]
    return [
        Line(
            f"  {row[0]:<{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]:>{wide[2]}}  {row[3]}".rstrip(),
            row[4],
        )
        for row in every
    ]


def _in_all(screen: Screen) -> str:
    earlier = screen.earlier.total
    return f"{span(earlier)} of them in earlier runs" if earlier else ""


def _phases(screen: Screen) -> bool:
    return any(stage.number for stage in screen.stages)


def _rows(screen: Screen) -> t.Iterator[Row]:
    stages = {stage.key: stage for stage in screen.stages}
    if _phases(screen):
        for number, one in enumerate(screen.plan, start=1):
            stage = stages.pop(one.name, None)
            name, planned = f"{number} {one.title}", span(one.seconds)
            yield (
                _row(screen, name, planned, stage) if stage else _absent(screen, name, planned, one)
            )
    for stage in stages.values():
        yield _row(screen, stage.title, "", stage)


def _row(screen: Screen, name: str, planned: str, stage: Stage) -> Row:
    tone: Tone = "good" if stage.ending == "done" else "bad"
    before = screen.earlier.seconds.get(stage.key)
    told = f"{stage.ending}, after {span(before)} in earlier runs" if before else stage.ending
    return name, planned, span(stage.lasted(stage.started)), str(told), tone


def _absent(screen: Screen, name: str, planned: str, phase: Planned) -> Row:
    """A phase that this run did not come to, or was not asked for."""
    status = screen.earlier.status.get(phase.name)
    seconds = screen.earlier.seconds.get(phase.name)
    told = f"{status} in an earlier run" if status else "not in this run"
    return name, planned, span(seconds) if seconds else "", told, ""


def cause(screen: Screen, ending: Ending) -> list[Line]:
    """What failed, in one sentence."""
    if ending == "done":
        return []
    stage = screen.stages[-1]
    failure = stage.cause
    if failure is None:
        return []
    where = f"'{bare(failure.task)}' on {failure.host}"
    words = "is on hold" if failure.held else "failed"
    return [
        Line(f"{screen.heading(stage)} {words} in {where}: {one_line(failure.sentence)}", "bad")
    ]


def next_commands(screen: Screen, command: Command, ending: Ending) -> list[str]:
    words = {"next": "Next:" if ending == "done" else "Resume:", "or": "Or:", "back": "Go back:"}
    steps = next_steps(screen, command, ending)
    return [f"{words[name]:<10}{line}" for name, line in steps if name in words]


def few_asked_for(sentence: str) -> list[tuple[str, str]]:
    """What a cause tells to run in place of this run. A list, such as one of all missing sign-offs, stays a list."""
    asked = asked_for(sentence)
    return asked if len(asked) <= FEW else []


def next_steps(screen: Screen, command: Command, ending: Ending) -> list[tuple[str, str]]:
    """What to type next, each with a word for what it is for."""
    stage, plan = screen.stages[-1], [one.name for one in screen.plan]
    if ending != "done":
        missing = stage.missing or (stage.cause.missing if stage.cause else ())
        steps = [("next", command.resumed(stage.key, plan, missing).line())]
        if stage.cause:
            asked = few_asked_for(stage.cause.sentence)
            steps += [("or", command.typed.line(one, options)) for one, options in asked]
        if stage.cause and stage.cause.refused:
            return steps
        # The first phase only looks.
        if stage.number > 1 and command.rollback and not command.check:
            steps.append(("back", command.other(command.rollback).line()))
        if stage.number and command.diagnose and ending == "failed":
            steps.append(("look", command.other(command.diagnose).line()))
        return steps
    if not stage.number or command.check:
        return []
    onward = command.onward(stage.key, plan)
    if stage.key == plan[-1] and not onward and command.ramp:
        onward = command.other(command.ramp)
    return [("next", onward.line())] if onward else []
