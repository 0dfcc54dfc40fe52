# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run: what came of it, how things are now, and what to type next."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from .._formats import counted, span, stopwatch
from .._release.models import ROLLED_BACK
from .._story.next_step import (
    BACK_AGAIN,
    LOOK,
    Nothing,
    Person,
    Stop,
    Story,
    few_commands_in,
    steps,
    worded,
)
from .commands import Command, without_options
from .layout import CAUSE, SENTENCE_LIMIT, WIDEST, clipped, folded, hanging, one_line
from .models import Ending, Line, RunBegun, RunEnded, RunFailure, Stage, Tone
from .screen import Screen

LABELS: t.Mapping[str, str] = {BACK_AGAIN: "back", LOOK: "look"}


def next_steps(
    screen: Screen, command: Command, ending: Ending, story: Story
) -> list[tuple[str, str]]:
    """What to type next, each with a word for what it is for."""
    stage, plan = screen.stages[-1], screen.plan.names
    undone = story.record.status == ROLLED_BACK and "rollback" in " ".join(command.playbooks)
    if ending == "done" and (command.check or not (stage.number or undone)):
        return []
    failed = ending != "done"
    cause = stage.cause if failed else None
    story = replace(
        story,
        plan=screen.plan,
        ramps=bool(command.ramp),
        switched_off=frozenset(stage.missing),
        stop=_stop(stage, cause) if failed else None,
    )
    if cause:
        command = _mended(command, cause)
    lines: dict[str, str] = {}
    # After a good end only what comes next: nothing is wrong from which to go back.
    for step in steps(story)[: None if failed else 1]:
        label = LABELS.get(getattr(step, "playbook", ""), "or") if lines else "next"
        if isinstance(step, Person):
            lines.setdefault(worded(step), label)
        elif not isinstance(step, Nothing):
            line = command.carrying(step, plan, limited=failed)
            lines.setdefault(line, label)
    return [(label, line) for line, label in lines.items() if line]


def _stop(stage: Stage, cause: RunFailure | None) -> Stop:
    phase = stage.key if stage.number else ""
    if cause is None:
        return Stop(phase=phase)
    return Stop(cause.reason, phase, few_commands_in(cause.sentence), cause.missing, cause.other)


def _mended(command: Command, cause: RunFailure) -> Command:
    """Without the variables that are refused, and with those that are asked for."""
    if cause.reason == "InvalidInput":
        command = command.without(re.findall(r"\w+", cause.sentence))
    missing = " ".join(match[1] for match in OPTION.finditer(cause.sentence))
    added = [part for part in shlex.split(missing) if part != "-e"]
    return replace(command, extra=(*command.extra, *added))


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

    `problems`: what was wrong, each as "name: why". `standing`: how the platform was found, by part.
    """

    holder: str = ""
    detail: str = ""
    announced: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    report: dict[str, t.Any] = field(default_factory=dict)
    standing: dict[str, t.Any] = field(default_factory=dict)
    story: Story = field(default_factory=Story)


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
    elif stage.number and stage.number == len(screen.plan) and block.story.record.status == "done":
        headline = f"✓ {STATES['done']} in {took}"
    elif (
        not stage.number and block.story.record.status == "rolled_back" and "rollback" in run.title
    ):
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
    rows = next_steps(screen, run.command, "done", block.story)
    return [*lines, *(command_row(label, text) for label, text in rows)]


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
        if few_commands_in(sentence):
            # They are whole below.
            sentence = without_options(sentence)
        limit = WHOLE if cause.refused and not block.detail else CAUSE
        why = clipped(one_line(_unsaid(sentence, block.problems), WHOLE), limit)
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
    if block.announced:
        lines += row("told", " · ".join(block.announced), columns)
    rows = next_steps(screen, run.command, event.ending, block.story)
    lines += [command_row(label, text) for label, text in rows]
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


def _word(event: RunEnded, cause: RunFailure | None) -> tuple[str, Tone]:
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
