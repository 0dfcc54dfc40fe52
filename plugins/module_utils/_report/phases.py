# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The phases of a record, planned and actual, with every try and its cause."""

from __future__ import annotations

import json
import typing as t

from .._release.failure import ELSEWHERE, is_held, is_hold, message_of
from .._time import parse_time
from .models import PhaseRow, Planned, Tone, Try
from .reader import Reader, dictionaries, inner, listed, names, text
from .times import between, shown_both

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
NOT_RUN, FAILED, ON_HOLD = "not run", "failed", "on hold"
EVIDENCE_LIMIT = 400


def phase_rows(
    reader: Reader, plan: t.Sequence[Planned], tabled: t.Collection[str], zone: tzinfo
) -> tuple[PhaseRow, ...]:
    """The planned phases in their order, then those that nobody planned."""
    recorded = reader.phases()
    planned = {one.name: one for one in plan}
    unplanned = [name for name in recorded if name not in planned]
    return tuple(
        phase_row(
            planned.get(name) or Planned(name, 0),
            recorded.get(name),
            tabled,
            zone,
        )
        for name in [*planned, *unplanned]
    )


def phase_row(
    planned: Planned,
    recorded: t.Mapping[str, t.Any] | None,
    tabled: t.Collection[str],
    zone: tzinfo,
) -> PhaseRow:
    phase = recorded or {}
    found = phase.get("evidence")
    status = outcome(text(phase.get("status")), found) or NOT_RUN
    return PhaseRow(
        name=planned.name,
        title=planned.title or planned.name.replace("_", " ").capitalize(),
        status=status.replace("_", " "),
        tone=TONES.get(status, ""),
        planned=planned.minutes * 60,
        started=shown_both(phase.get("started"), zone),
        finished=shown_both(phase.get("finished"), zone),
        actual=between(phase.get("started"), phase.get("finished")),
        causes=tuple(failures(found)),
        waits_for=next(holds(found), ""),
        evidence=tuple(evidence(found, tabled)),
        tries=tuple(tries(phase)) if recorded else (),
    )


def tries(phase: t.Mapping[str, t.Any]) -> t.Iterator[Try]:
    for one in listed(phase, "earlier_failures"):
        if isinstance(one, dict):
            found = one.get("evidence")
            status = outcome(FAILED, found)
            begun, ended = parse_time(one.get("started")), parse_time(one.get("finished"))
            yield Try(begun, ended, status, tuple(failures(found)))
    status = outcome(text(phase.get("status")), phase.get("evidence")) or "unknown"
    yield Try(
        parse_time(phase.get("started")),
        parse_time(phase.get("finished")),
        status.replace("_", " "),
        tuple(failures(phase.get("evidence"))) if status in (FAILED, ON_HOLD) else (),
    )


def outcome(status: str, found: t.Any) -> str:
    """A phase that failed is on hold when nothing went wrong for sure: data was missing, or nobody answered."""
    if status != FAILED:
        return status
    return ON_HOLD if is_held(found) else FAILED


def evidence(found: t.Any, tabled: t.Collection[str]) -> list[str]:
    """Lines as they are; a dictionary as one line for each key that no table of the report shows."""
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return names(found)
    if not isinstance(found, dict):
        return []
    apart = {*tabled, "failures"} if failures(found) else set(tabled)
    settled = text(inner(found, "settlement").get("sentence"))
    lines = [settled] if settled else []
    apart |= {"settlement"} if settled else set()
    said = {key: one for key, one in found.items() if one not in (None, "", [], {})}
    return lines + [f"{key}: {compact(one)}" for key, one in said.items() if key not in apart]


def failures(found: t.Any) -> list[str]:
    """What a failed phase keeps: by host, the task and its message. One that stopped for another host is no cause."""
    known = {h: one for h, one in inner(found, "failures").items() if isinstance(one, dict)}
    causes = {h: one for h, one in known.items() if one.get("reason") != ELSEWHERE} or known
    return [
        f"{said_by(host, text(one.get('task')) or 'a task')}{compact(message_of(one))}"
        for host, one in causes.items()
    ]


def holds(found: t.Any) -> t.Iterator[str]:
    return (
        compact(message_of(one)) for one in dictionaries(inner(found, "failures")) if is_hold(one)
    )


def said_by(host: str, task: str) -> str:
    """The controller is no host that anybody needs to know of."""
    return f"{task}: " if host == "localhost" else f"{host} failed in '{task}': "


def compact(value: t.Any) -> str:
    short = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return short if len(short) <= EVIDENCE_LIMIT else f"{short[:EVIDENCE_LIMIT]}…"
