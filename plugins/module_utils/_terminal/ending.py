# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run: what came of it, how things are now, and what to type next."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from .._words import counted
from .commands import without_options
from .events import RunBegun, RunEnded
from .layout import CAUSE, WIDEST, clipped, folded, hanging
from .models import Failure, Line, Tone
from .screen import Screen
from .summary import few_asked_for, next_steps
from .words import SENTENCE_LIMIT, one_line, span, watch

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
    lines = [f"  {label:<{LABEL}}{first}", *(f"  {'':<{LABEL}}{one}" for one in rest)]
    return [Line(one.rstrip(), tone) for one in lines]


def command_row(label: str, text: str, tone: Tone = "head") -> Line:
    """Never folded: it is there to be copied."""
    return Line(f"  {label:<{LABEL}}{text}", tone)


def _took(screen: Screen, at: float) -> str:
    here = at - screen.started
    earlier = screen.earlier.total if screen.stages[-1].number else 0
    return f"{watch(here)}, {span(here + earlier)} with earlier runs" if earlier else watch(here)


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
    lines = [Line(one, "good") for one in hanging(f"{headline}, {clock}", columns)]
    found = block.report.get("deviations") or ()
    if found and stage.number and not run.command.check:
        more = f" And {len(found) - 1} more, see the report." if found[1:] else ""
        lines += row("differs", f"{clipped(found[0], SHORT)}{more}", columns, "warn")
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
    lines = [Line(one, tone) for one in hanging(head, columns)]
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
        others = {one.sentence for one in stage.failures if one.sentence not in cause.sentence}
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


def _unsaid(sentence: str, said: t.Sequence[str]) -> str:
    """What was told above with its reason is only named, and where to look."""
    told = " ".join(sentence.split())
    for text in sorted(said, key=len, reverse=True):
        name, reason, _why = text.partition(": ")
        end = "." if text.endswith((".", "!", "?")) else ""
        told = told.replace(text, f"{name} (above){end}" if reason else text)
    return told


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
    missing = " ".join(one[1] for one in OPTION.finditer(cause.sentence)) if cause else ""
    added = [one for one in shlex.split(missing) if one != "-e"]
    command = replace(command, extra=(*command.extra, *added))
    return next_steps(screen, command, event.ending)
