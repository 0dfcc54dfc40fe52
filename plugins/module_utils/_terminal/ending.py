# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run: what came of it, how things are now, and what to type next."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from .._formats import SENTENCE_LIMIT, one_line, shortened, stopwatch
from .._release.models import DONE, ROLLED_BACK
from .._release.order import standing
from .._story import next_step
from .._story.next_step import Story, few_commands_in
from .commands import Command, without_options
from .layout import CAUSE, WIDEST, hanging, hung
from .models import Line, RunBegun, RunFailure, Tone, other_causes
from .run import PlaybookState, Stage
from .telling import report_files

LABELS: t.Mapping[str, str] = {next_step.BACK_AGAIN: "back", next_step.LOOK: "look"}


def next_steps(run: PlaybookState, command: Command, story: Story) -> list[tuple[str, str]]:
    """What to type next, each with a word for what it is for."""
    stage, failed = run.stages[-1], run.ending != "done"
    undone = story.record.status == ROLLED_BACK and "rollback" in " ".join(command.playbooks)
    if not failed and (command.check or not (stage.number or undone)):
        return []
    stop = next_step.Stop(phase=stage.phase if stage.number else "")
    if failed and (cause := stage.cause):
        named = few_commands_in(cause.sentence)
        stop = next_step.Stop(cause.reason, stop.phase, named, cause.missing, cause.other)
        command = _mended(command, cause)
    story = replace(
        story,
        plan=run.plan,
        ramps=next_step.RAMP in command.beside,
        switched_off=frozenset(stage.missing),
        stop=stop if failed else None,
    )
    lines: dict[str, str] = {}
    # After a good end only what comes next: nothing is wrong from which to go back.
    for step in next_step.steps(story)[: None if failed else 1]:
        label = LABELS.get(getattr(step, "playbook", ""), "or") if lines else "next"
        if isinstance(step, next_step.PlaybookRun):
            lines.setdefault(command.carrying(step, run.plan.names, limited=failed), label)
        elif step.who:
            lines.setdefault(next_step.worded(step), label)
    return [(label, line) for line, label in lines.items() if line]


def _mended(command: Command, cause: RunFailure) -> Command:
    """Without variables that are refused, with what is asked for, and on all hosts if a phase is missing."""
    if cause.reason == "InvalidInput":
        command = command.without(re.findall(r"\w+", cause.sentence))
    missing = " ".join(match[1] for match in OPTION.finditer(cause.sentence))
    added = [part for part in shlex.split(missing) if part != "-e"]
    command = command.without([part.partition("=")[0] for part in added])
    limit = "" if cause.missing else command.limit
    if named := LIMIT.search(cause.sentence):
        limit = named[1]
    return replace(command, extra=(*command.extra, *added), limit=limit)


LABEL = 9
SHORT = 140
OTHERS = 4
"""Causes beside the first one that are shown."""
"""Columns of a deviation, all of which is in the report."""
WHOLE = 6000
"""Columns of a refusal that stands nowhere else, such as a list of all that is missing."""
REFUSALS = frozenset({"InvalidInput", "Locked", "OutOfOrder"})
"""Reasons with which nothing has begun: there is nothing to go back from, and nothing to examine."""
LIMIT = re.compile(r"\bUse --limit (\S+?)\.?(?=\s|$)")
OPTION = re.compile(r"""\b[Aa]dd ((?: ?-e (?:"[^"]*"|'[^']*'|[^\s,;]+))+)""")


@dataclass
class Block:
    """What the run has learned on its way that its last lines tell.

    `not_paged`: why the page of a failure reached nobody. `problems`: what was wrong, each as "name: why". `report`:
    what release_report returned. `standing`: how the platform was found, by part.
    """

    attempt: int = 1
    holder: str = ""
    detail: str = ""
    announced: list[str] = field(default_factory=list)
    not_paged: str = ""
    problems: list[str] = field(default_factory=list)
    report: t.Mapping[str, t.Any] = field(default_factory=dict)
    standing: dict[str, t.Any] = field(default_factory=dict)
    story: Story = field(default_factory=Story)


def row(
    label: str, text: str, columns: int, tone: Tone = "", limit: int = SENTENCE_LIMIT
) -> list[Line]:
    lead, text = f"  {label:<{LABEL}}", one_line(text, limit)
    lines = hung(lead, text, min(columns, WIDEST), len(lead))
    return [Line(line.rstrip(), tone) for line in lines]


def command_row(label: str, text: str, tone: Tone = "head") -> Line:
    """Never folded: it is there to be copied."""
    return Line(f"  {label:<{LABEL}}{text}", tone)


def end_lines(
    run: PlaybookState, begun: RunBegun, block: Block, clock: str, columns: int
) -> list[Line]:
    """What came of a run that ended at that time of day."""
    stage, command = run.stages[-1], begun.command
    took = stopwatch((stage.finished or run.started) - run.started)
    good = run.ending == "done"
    tone: Tone
    if good:
        head, tone = f"✓ {_done(run, begun, block, took)}, {clock}", "good"
        rows = [] if command.check else _report(stage, block, columns)
    else:
        word, tone = _word(run)
        place = f"{stage.number}/{len(run.plan)} {stage.title}" if stage.number else stage.title
        check = " Check mode, nothing was changed." if command.check else ""
        head = f"{word} in {place}, {clock}, after {took}.{check}"
        rows = _failure(stage, block, columns, tone)
    if block.not_paged:
        text = f"NOBODY WAS PAGED: {block.not_paged} Call the engineer on call."
        rows = [*row("", text, columns, "bad"), *rows]
    if block.announced:
        rows += row("told", " · ".join(block.announced), columns)
    lines = [*(Line(entry, tone) for entry in hanging(head, columns)), *rows]
    lines += [command_row(*entry) for entry in next_steps(run, command, block.story)]
    if block.detail and not good:
        lines.append(command_row("detail", block.detail, ""))
    return lines


def _done(run: PlaybookState, begun: RunBegun, block: Block, took: str) -> str:
    stage, status = run.stages[-1], standing(block.story.record)
    if begun.command.check:
        return f"CHECKED in {took}, nothing was changed"
    if stage.number and stage.number == len(run.plan) and status == DONE:
        return f"DEPLOYED in {took}"
    if not stage.number and status == ROLLED_BACK and "rollback" in begun.title:
        return f"ROLLED BACK in {took}"
    return f"{begun.title} done in {took}"


def _report(stage: Stage, block: Block, columns: int) -> list[Line]:
    lines: list[Line] = []
    deviations = [*map(str, block.report.get("deviations") or ())]
    if deviations and stage.number:
        more = f" And {len(deviations) - 1} more, see the report." if deviations[1:] else ""
        lines = row("differs", f"{shortened(deviations[0], SHORT)}{more}", columns, "warn")
    files = report_files(block.report)
    return lines + [command_row(*each, "") for each in zip(("report", ""), files, strict=False)]


def _word(run: PlaybookState) -> tuple[str, Tone]:
    cause = run.stages[-1].cause
    if run.ending == "interrupted":
        return "✗ INTERRUPTED", "bad"
    return ("! ON HOLD", "warn") if cause and cause.held else ("✗ STOPPED", "bad")


def _failure(stage: Stage, block: Block, columns: int, tone: Tone) -> list[Line]:
    """The cause, and how the platform was found after it."""
    lines: list[Line] = []
    if cause := stage.cause:
        sentence = cause.sentence
        if few_commands_in(sentence):
            # They are whole below.
            sentence = without_options(sentence)
        limit = WHOLE if cause.reason in REFUSALS and not block.detail else CAUSE
        why = shortened(one_line(_unsaid(sentence, block.problems), WHOLE), limit)
        lines += row("cause", f"{cause.where}{why}", columns, tone, WHOLE)
        for number, line in enumerate(cause.log):
            lines += row("" if number else "log", shortened(line, SHORT), columns)
        others = other_causes(cause.sentence, ((of.host, of.sentence) for of in stage.failures))
        for number, text in enumerate(others[:OTHERS]):
            lines += row("" if number else "also", shortened(text, SHORT), columns, tone)
        if others[OTHERS:]:
            lines += row("", f"and {len(others) - OTHERS} more, see detail", columns)
    if block.standing.get("undone"):
        lines += row("undone", str(block.standing["undone"]), columns)
    for number, text in enumerate(block.standing.get("now") or ()):
        lines += row("" if number else "now", str(text), columns)
    return lines


def _unsaid(sentence: str, sentences: t.Sequence[str]) -> str:
    """What was told above with its reason is only named, and where to look."""
    message = " ".join(sentence.split())
    for text in sorted(sentences, key=len, reverse=True):
        name, reason, _why = text.partition(": ")
        end = "." if text.endswith((".", "!", "?")) else ""
        message = message.replace(text, f"{name} (above){end}" if reason else text)
    return message
