# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Times and sizes of a record, for people."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone


def moment(value: t.Any) -> datetime | None:
    """An ISO 8601 time; one without a zone is UTC. None for anything else."""
    try:
        read = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)  # noqa: UP017 - older Pythons


def shown(value: t.Any) -> str:
    read = moment(value)
    return read.strftime("%Y-%m-%d %H:%M:%S %Z") if read else str(value or "")


def between(started: t.Any, finished: t.Any) -> int | None:
    """Whole seconds, None when one of the two is missing."""
    begin, end = moment(started), moment(finished)
    return round((end - begin).total_seconds()) if begin and end else None


def lasting(seconds: float | None) -> str:
    """For example "1 h 58 min", "3 min 5 s", "1.4 s", "4 ms"."""
    if seconds is None:
        return ""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10 and seconds != round(seconds):
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


def size(count: t.Any) -> str:
    """Bytes in decimal units, as disks are sold."""
    if not isinstance(count, (int, float)) or isinstance(count, bool):
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
