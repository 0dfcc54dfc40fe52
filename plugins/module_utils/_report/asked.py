# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to what a report is asked for; the same for the report itself and for its live page."""

from __future__ import annotations

import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .._errors import InputError
from .._messages.redactor import Redactor
from .._story.record import Record
from .._time import parse_time
from .folder import journal_lines
from .journal_tables import read_journal
from .models import Asked, Planned

RECORD_DEPTH = 20


def asked_of(params: t.Mapping[str, t.Any], record: Record, redact: Redactor) -> Asked:
    """The options as the report wants them, the journal among them."""
    try:
        zone = ZoneInfo(params["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(
            f"time_zone is {params['time_zone']!r}, which this machine does not know: name one like 'Africa/Nairobi', "
            "or install the package tzdata."
        ) from exc
    path = Path(params["journal"]) if params["journal"] else None
    with journal_lines(path) as lines:
        told = read_journal(lines, parse_time(record.started), parse_time(record.finished), redact)
    return Asked(
        plan=tuple(Planned(**one) for one in params["plan"]),
        release=params["release"],
        zone=zone,
        sign_offs=tuple(params["sign_offs"]),
        announced=params["announced"],
        problem=redact(params.get("problem") or ""),
        pins=redact.within(params.get("pins") or {}, RECORD_DEPTH),
        availability=redact.within(params.get("availability") or {}, RECORD_DEPTH),
        flags=redact.within(params.get("flags") or {}, RECORD_DEPTH),
        journal=told,
    )
