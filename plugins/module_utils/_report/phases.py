# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a record, planned and actual, with every try and its cause."""

from __future__ import annotations

import json
import typing as t

from .._story.decode import names
from .._story.record import NO_PHASE, ON_HOLD, Evidence, Phase, Record
from .._story.record import Try as RecordedTry
from .models import PhaseRow, Planned, Tone, Try
from .times import shown_both

if t.TYPE_CHECKING:
    from datetime import tzinfo

TONES: dict[str, Tone] = {
    "done": "good",
    "waived": "calm",
    "running": "warn",
    "failed": "bad",
    "on hold": "warn",
    "rolled_back": "warn",
    "partly_rolled_back": "warn",
}
NOT_RUN, FAILED = "not run", "failed"
EVIDENCE_LIMIT = 400


def phase_rows(
    record: Record, plan: t.Sequence[Planned], tabled: t.Collection[str], zone: tzinfo
) -> tuple[PhaseRow, ...]:
    """The planned phases in their order, then those that nobody planned."""
    planned = {one.name: one for one in plan}
    unplanned = [name for name in record.phases if name not in planned]
    return tuple(
        phase_row(planned.get(name) or Planned(name, 0), record.phases.get(name), tabled, zone)
        for name in [*planned, *unplanned]
    )


def phase_row(
    planned: Planned, recorded: Phase | None, tabled: t.Collection[str], zone: tzinfo
) -> PhaseRow:
    phase = recorded or NO_PHASE
    status = phase.outcome or NOT_RUN
    return PhaseRow(
        name=planned.name,
        title=planned.title or planned.name.replace("_", " ").capitalize(),
        status=status.replace("_", " "),
        tone=TONES.get(status, ""),
        planned=planned.minutes * 60,
        started=shown_both(phase.started, zone),
        finished=shown_both(phase.finished, zone),
        actual=phase.lasted,
        causes=tuple(causes(phase.evidence)),
        waits_for=next((compact(one.sentence) for one in phase.evidence.failures if one.held), ""),
        evidence=tuple(evidence(phase.evidence, tabled)),
        tries=tuple(map(try_of, phase.tries)) if phase.status or phase.started else (),
    )


def try_of(one: RecordedTry) -> Try:
    status = one.outcome or "unknown"
    why = causes(one.evidence) if status in (FAILED, ON_HOLD) else ()
    return Try(one.begun, one.ended, status.replace("_", " "), tuple(why))


def evidence(kept: Evidence, tabled: t.Collection[str]) -> list[str]:
    """Lines as they are; a dictionary as one line for each key that no table of the report shows."""
    found = kept.all
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return names(found)
    if not isinstance(found, dict):
        return []
    apart = {*tabled, "failures"} if kept.failures else set(tabled)
    lines = [kept.settlement] if kept.settlement else []
    apart |= {"settlement"} if lines else set()
    said = {key: one for key, one in found.items() if one not in (None, "", [], {})}
    return lines + [f"{key}: {compact(one)}" for key, one in said.items() if key not in apart]


def causes(kept: Evidence) -> t.Iterator[str]:
    """What a failed phase keeps: by host, the task and its message."""
    for one in kept.causes:
        yield f"{said_by(one.name, one.task or 'a task')}{compact(one.sentence)}"


def said_by(host: str, task: str) -> str:
    """The controller is no host that anybody needs to know of."""
    return f"{task}: " if host == "localhost" else f"{host} failed in '{task}': "


def compact(value: t.Any) -> str:
    short = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return short if len(short) <= EVIDENCE_LIMIT else f"{short[:EVIDENCE_LIMIT]}…"
