# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run: what came of it, how things are now, and what to type next."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from .._formats import span, stopwatch
from .._story.plan import Planned
from .._words import counted
from .commands import Command, asked_for, without_options
from .layout import CAUSE, SENTENCE_LIMIT, WIDEST, bare, clipped, folded, hanging, one_line
from .models import Ending, Failure, Line, RunBegun, RunEnded, Stage, Tone
from .screen import Screen

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
    planned = sum(entry.seconds for entry in screen.plan) if _phases(screen) else 0
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
        for number, entry in enumerate(screen.plan, start=1):
            stage = stages.pop(entry.name, None)
            name, planned = f"{number} {entry.title}", span(entry.seconds)
            yield (
                _row(screen, name, planned, stage)
                if stage
                else _absent(screen, name, planned, entry)
            )
    for stage in stages.values():
        yield _row(screen, stage.title, "", stage)


def _row(screen: Screen, name: str, planned: str, stage: Stage) -> Row:
    tone: Tone = "good" if stage.ending == "done" else "bad"
    before = screen.earlier.seconds.get(stage.key)
    text = f"{stage.ending}, after {span(before)} in earlier runs" if before else stage.ending
    return name, planned, span(stage.lasted(stage.started)), str(text), tone


def _absent(screen: Screen, name: str, planned: str, phase: Planned) -> Row:
    """A phase that this run did not come to, or was not asked for."""
    status = screen.earlier.status.get(phase.name)
    seconds = screen.earlier.seconds.get(phase.name)
    text = f"{status} in an earlier run" if status else "not in this run"
    return name, planned, span(seconds) if seconds else "", text, ""


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
    requested = asked_for(sentence)
    return requested if len(requested) <= FEW else []


def next_steps(screen: Screen, command: Command, ending: Ending) -> list[tuple[str, str]]:
    """What to type next, each with a word for what it is for."""
    stage, plan = screen.stages[-1], [entry.name for entry in screen.plan]
    if ending != "done":
        missing = stage.missing or (stage.cause.missing if stage.cause else ())
        steps = [("next", command.resumed(stage.key, plan, missing).line())]
        if stage.cause:
            requested = few_asked_for(stage.cause.sentence)
            steps += [("or", command.typed.line(entry, options)) for entry, options in requested]
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


LABEL = 9
SHORT = 140
"""Columns of a deviation, all of which is in the report."""
WHOLE = 6000
"""Columns of a refusal that stands nowhere else, such as a list of all that is missing."""
OPTION = re.compile(r"""\b[Aa]dd ((?: ?-e (?:"[^"]*"|'[^']*'|[^\s,;]+))+)""")
STATES: t.Mapping[str, str] = {"done": "DEPLOYED", "rolled_back": "ROLLED BACK"}


@dataclass
class Block:
    """What the run has learned on its way that its last lines tell.

    `said`: what was wrong, each as "name: why". `standing`: how the platform was found, by part.
    """

    holder: str = ""
    status: str = ""
    detail: str = ""
    told: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    report: dict[str, t.Any] = field(default_factory=dict)
    standing: dict[str, t.Any] = field(default_factory=dict)


def row(
    label: str, text: str, columns: int, tone: Tone = "", limit: int = SENTENCE_LIMIT
) -> list[Line]:
    columns = min(columns, WIDEST)
    first, *rest = folded(one_line(text, limit), columns - LABEL - 2)
    lines = [f"  {label:<{LABEL}}{first}", *(f"  {'':<{LABEL}}{entry}" for entry in rest)]
    return [Line(line.rstrip(), tone) for line in lines]


def command_row(label: str, text: str, tone: Tone = "head") -> Line:
    """Never folded: it is there to be copied."""
    return Line(f"  {label:<{LABEL}}{text}", tone)


def _took(screen: Screen, at: float) -> str:
    here = at - screen.started
    earlier = screen.earlier.total if screen.stages[-1].number else 0
    return (
        f"{stopwatch(here)}, {span(here + earlier)} with earlier runs"
        if earlier
        else stopwatch(here)
    )


def done_lines(
    screen: Screen, run: RunBegun, block: Block, event: RunEnded, *, clock: str, columns: int
) -> list[Line]:
    stage = screen.stages[-1]
    took = _took(screen, event.at)
    if run.command.check:
        headline = f"✓ CHECKED in {took}, nothing was changed"
    elif stage.number and stage.number == len(screen.plan) and block.status == "done":
        headline = f"✓ {STATES['done']} in {took}"
    elif not stage.number and block.status == "rolled_back" and "rollback" in run.title:
        headline = f"✓ {STATES['rolled_back']} in {took}"
    else:
        headline = f"✓ {run.title} done in {took}"
    lines = [Line(entry, "good") for entry in hanging(f"{headline}, {clock}", columns)]
    deviations = block.report.get("deviations") or ()
    if deviations and stage.number and not run.command.check:
        more = f" And {len(deviations) - 1} more, see the report." if deviations[1:] else ""
        lines += row("differs", f"{clipped(deviations[0], SHORT)}{more}", columns, "warn")
    files = () if run.command.check else block.report.get("files", ())
    for place, path in enumerate(files):
        lines.append(command_row("" if place else "report", str(path), ""))
    steps = next_steps(screen, run.command, "done")
    return [*lines, *(command_row(label, text) for label, text in steps)]


def stopped_lines(
    screen: Screen, run: RunBegun, block: Block, event: RunEnded, *, clock: str, columns: int
) -> list[Line]:
    stage = screen.stages[-1]
    cause = stage.cause
    word, tone = _word(event, cause)
    place = f"{stage.number}/{len(screen.plan)} {stage.title}" if stage.number else stage.title
    check = " Check mode, nothing was changed." if run.command.check else ""
    head = f"{word} in {place}, {clock}, after {_took(screen, event.at)}.{check}"
    lines = [Line(entry, tone) for entry in hanging(head, columns)]
    if cause:
        where = "" if cause.host == "localhost" else f"{cause.host}: "
        sentence = cause.sentence
        if few_asked_for(sentence):
            # They are whole below.
            sentence = without_options(sentence)
        limit = WHOLE if cause.refused and not block.detail else CAUSE
        why = clipped(one_line(_unsaid(sentence, block.said), WHOLE), limit)
        lines += row("cause", f"{where}{why}", columns, tone, WHOLE)
        for number, line in enumerate(cause.log):
            lines += row("" if number else "log", clipped(line, SHORT), columns)
        others = {
            failure.sentence for failure in stage.failures if failure.sentence not in cause.sentence
        }
        if others:
            more = counted(len(others), "other failure")
            lines += row("", f"and {more}, see detail", columns)
    lines += _now(block, columns)
    if block.told:
        lines += row("told", " · ".join(block.told), columns)
    lines += [command_row(label, text) for label, text in _steps(screen, run, cause, event)]
    if block.detail:
        lines.append(command_row("detail", block.detail, ""))
    return lines


def _unsaid(sentence: str, sentences: t.Sequence[str]) -> str:
    """What was told above with its reason is only named, and where to look."""
    message = " ".join(sentence.split())
    for text in sorted(sentences, key=len, reverse=True):
        name, reason, _why = text.partition(": ")
        end = "." if text.endswith((".", "!", "?")) else ""
        message = message.replace(text, f"{name} (above){end}" if reason else text)
    return message


def _word(event: RunEnded, cause: Failure | None) -> tuple[str, Tone]:
    if event.ending == "interrupted":
        return "✗ INTERRUPTED", "bad"
    return ("! ON HOLD", "warn") if cause and cause.held else ("✗ STOPPED", "bad")


def _now(block: Block, columns: int) -> list[Line]:
    """How the platform was found after the failure."""
    lines: list[Line] = []
    if block.standing.get("undone"):
        lines += row("undone", str(block.standing["undone"]), columns)
    label = "now"
    for text in block.standing.get("now") or ():
        lines += row(label, str(text), columns)
        label = ""
    return lines


def _steps(
    screen: Screen, run: RunBegun, cause: Failure | None, event: RunEnded
) -> list[tuple[str, str]]:
    command = run.command
    if cause and cause.reason == "InvalidInput":
        # What is refused is named.
        command = command.without(re.findall(r"\w+", cause.sentence))
    missing = " ".join(match[1] for match in OPTION.finditer(cause.sentence)) if cause else ""
    added = [part for part in shlex.split(missing) if part != "-e"]
    command = replace(command, extra=(*command.extra, *added))
    return next_steps(screen, command, event.ending)
