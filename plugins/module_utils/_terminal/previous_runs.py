# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a release record tells of the runs before this one. Of a record that is unlike ours it tells nothing."""

from __future__ import annotations

import typing as t

from .._report.times import between
from .._time import parse_time
from .models import Earlier


def earlier_runs(record: t.Any, began: str) -> Earlier:
    """`began` is when this run began: what was opened since then is its own."""
    if not isinstance(record, dict):
        return Earlier()
    phases = record.get("phases")
    seconds: dict[str, float] = {}
    status: dict[str, str] = {}
    own: dict[str, float] = {}
    for name, phase in (phases if isinstance(phases, dict) else {}).items():
        if not isinstance(phase, dict):
            continue
        if _before(phase, began):
            status[name] = str(phase.get("status") or "")
        elif (took := between(phase.get("started"), phase.get("finished"))) is not None:
            own[name] = float(took)
        spent = sum(_seconds(one, began) for one in (phase, *_tries(phase)))
        if spent:
            seconds[name] = spent
    attempt = record.get("attempt")
    return Earlier(attempt if isinstance(attempt, int) else 1, seconds, status, own)


def _tries(phase: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    found = phase.get("earlier_failures")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _before(entry: t.Mapping[str, t.Any], began: str) -> bool:
    started, limit = parse_time(entry.get("started")), parse_time(began)
    # The record has whole seconds.
    return bool(started and limit and started < limit.replace(microsecond=0))


def _seconds(entry: t.Mapping[str, t.Any], began: str) -> float:
    """0 for what this run did, and for a try whose end nobody wrote down."""
    if not _before(entry, began):
        return 0.0
    return float(max(0, between(entry.get("started"), entry.get("finished")) or 0))
