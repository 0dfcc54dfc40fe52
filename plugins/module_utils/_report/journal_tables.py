# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal adds to a report: which runs there were, which tasks took longest, what was tried again."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from .._story.decode import text
from .._time import parse_time
from .._words import counted, number
from .journal_reader import Event, read_events
from .legible import legible
from .models import Cell, Table, Tone
from .times import shown, took

LONGEST = 10
LIMIT = 400
ENDS = {"task_ok": "ok", "task_failed": "failed", "host_unreachable": "failed"}

UNFINISHED = "no end in the journal"
OUTCOMES: t.Mapping[str, Tone] = {"done": "good", "failed": "bad", "interrupted": "warn"}


@dataclass
class RunTold:
    """One ansible-playbook: its first line, and how it ended within the release."""

    begin: Event
    outcome: str = UNFINISHED


@dataclass
class Told:
    """What was read so far. Only a heap of the longest is kept, for a journal may be large."""

    runs: dict[str, RunTold] = field(default_factory=dict)
    rehearsals: set[str] = field(default_factory=set)
    longest: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    damaged: int = 0


def read_journal(
    lines: t.Iterable[str],
    since: datetime | None,
    until: datetime | None,
    redact: t.Callable[[str], str] = str,
) -> tuple[Table, ...]:
    """Of the release alone: what ran before it began or after it ended is left out, and so are rehearsals.

    So the report of a finished release stays the same, whatever is run later.
    """
    told = Told()
    for event in read_events(lines):
        if event is None:
            told.damaged += 1
            continue
        at, run = parse_time(event["at"]), event["run"]
        if event["event"] == "run_started" and event.get("check"):
            told.rehearsals.add(run)
        if run in told.rehearsals or at is None or (since and at < since):
            continue
        if until and at > until:
            if run in told.runs:
                told.runs[run].outcome = "outlasted the release"
        else:
            take(told, event, redact)
    return tuple(tables(told, redact))


def take(told: Told, entry: Event, redact: t.Callable[[str], str]) -> None:
    run = told.runs.setdefault(entry["run"], RunTold(begin=entry))
    if entry["event"] == "run_finished":
        run.outcome = text(entry.get("outcome"))
    event, task, host = (redact(text(entry.get(key))) for key in ("event", "task", "host"))
    told.retries[(task, host)] += event == "task_retried"
    seconds = number(entry.get("duration"))
    if event in ENDS and seconds is not None:
        told.longest.append((seconds, task, host, ENDS[event], text(entry.get("at"))))
        if len(told.longest) > 50 * LONGEST:
            told.longest = top(told)


def top(told: Told) -> list[tuple[float, str, str, str, str]]:
    return sorted(told.longest, key=lambda one: (-one[0], one[1:]))[:LONGEST]


def runs(told: Told, redact: t.Callable[[str], str]) -> Table | None:
    """Who ran what, and what became of it; nothing of runs whose first line is not of this release."""
    rows = [
        (
            Cell(legible(redact(command(run.begin)), LIMIT), code=True),
            Cell(legible(text(run.begin.get("user")), LIMIT)),
            Cell(legible(text(run.begin.get("controller")), LIMIT)),
            Cell(shown(run.begin["at"])),
            Cell(run.outcome, OUTCOMES.get(run.outcome, "")),
        )
        for run in told.runs.values()
        if run.begin["event"] == "run_started"
    ]
    columns = ("Run", "By", "From", "Began", "Ended")
    return Table("Runs of ansible-playbook", columns, tuple(rows), "") if rows else None


def command(begin: Event) -> str:
    """The playbook, its options, and the names of the extra variables."""
    options = begin.get("options")
    given = options if isinstance(options, dict) else {}
    words = [text(begin.get("playbook"))]
    words += [
        f"{name}={','.join(map(text, value)) if isinstance(value, list) else text(value)}"
        for name, value in given.items()
        if value
    ]
    names = begin.get("extra_variables")
    words += [f"-e {text(name)}=…" for name in (names if isinstance(names, list) else ())]
    return " ".join(words)


def tables(told: Told, redact: t.Callable[[str], str]) -> t.Iterator[Table]:
    ran = runs(told, redact)
    if ran:
        yield ran
    lead = (
        f"{counted(told.damaged, 'line')} of the journal could not be read." if told.damaged else ""
    )
    rows = [
        (
            Cell(legible(task, LIMIT)),
            Cell(legible(host, LIMIT)),
            Cell(took(seconds)),
            Cell(ended, "bad" if ended == "failed" else ""),
            Cell(shown(at)),
        )
        for seconds, task, host, ended, at in top(told)
    ]
    if rows or lead:
        columns = ("Task", "Host", "Took", "Ended", "At")
        yield Table(
            "Longest tasks",
            columns,
            tuple(rows),
            "The journal has no task of this release.",
            lead,
        )
    retried = [(count, *key) for key, count in told.retries.items() if count]
    again = [
        (Cell(legible(task, LIMIT)), Cell(legible(host, LIMIT)), Cell(str(count), "warn"))
        for count, task, host in sorted(retried, reverse=True)[:LONGEST]
    ]
    if again:
        yield Table("Retried tasks", ("Task", "Host", "Times"), tuple(again), "")
