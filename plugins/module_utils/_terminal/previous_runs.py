# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release record tells of the runs before this one. Of a record that is unlike ours it tells nothing."""

from __future__ import annotations

from datetime import datetime

from .._story.record import Record, Try
from .._time import parse_time
from .models import Earlier


def earlier_runs(record: Record, began: str) -> Earlier:
    """`began` is when this run began: what was opened since then is its own."""
    seconds: dict[str, float] = {}
    status: dict[str, str] = {}
    own: dict[str, float] = {}
    limit = parse_time(began)
    for name, phase in record.phases.items():
        if _before(phase, limit):
            status[name] = phase.status
        elif phase.lasted is not None:
            own[name] = float(phase.lasted)
        # What this run did counts nothing here, nor a try whose end nobody wrote down.
        spent = sum(one.lasted or 0 for one in phase.tries if _before(one, limit))
        if spent:
            seconds[name] = float(spent)
    return Earlier(record.attempt or 1, seconds, status, own)


def _before(one: Try, limit: datetime | None) -> bool:
    # The record has whole seconds.
    return bool(one.begun and limit and one.begun < limit.replace(microsecond=0))
