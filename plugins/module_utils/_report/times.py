# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, sizes and quantities of a record, for people."""

from __future__ import annotations

import math
import typing as t
from datetime import datetime, tzinfo

from .._time import parse_time
from .._words import number

NOTHING = 1e-9


def shown(value: t.Any) -> str:
    read = value if isinstance(value, datetime) else parse_time(value)
    return read.strftime("%Y-%m-%d %H:%M:%S %Z") if read else str(value or "")


def shown_both(value: t.Any, zone: tzinfo) -> str:
    """In UTC and, where that differs, in the release's own zone."""
    read = parse_time(value)
    if read is None or read.astimezone(zone).utcoffset() == read.utcoffset():
        return shown(value)
    return f"{shown(read)} ({read.astimezone(zone):%H:%M:%S %Z})"


def lasting(seconds: float | None) -> str:
    """For example "1 h 58 min", "3 min 5 s", "1.4 s", "4 ms"."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10 and seconds != round(seconds):
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _unit) in enumerate(parts) if count), 3)
    # Two units that stand side by side are as exact as anybody asks.
    near = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(near) or "0 s"


def size(count: t.Any) -> str:
    """Bytes in decimal units, as disks are sold."""
    value = number(count)
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def quantity(value: t.Any, unit: str) -> str:
    """A value of a metric with its unit: ratios as percent, seconds short."""
    read = number(value)
    if read is None:
        return "no data"
    if unit == "ratio":
        return f"{plain(100 * read)} %"
    if unit == "seconds" and 0 < abs(read) < 1:
        return f"{plain(1000 * read)} ms"
    short = {"seconds": "s"}.get(unit, unit)
    return f"{plain(read)} {short}".strip()


def plain(value: float) -> str:
    """Three digits that count, never an exponent that nobody reads."""
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.2e}"
    if abs(value) < NOTHING:
        return "0"  # what a division leaves over
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def took(value: t.Any) -> str:
    """Seconds of a record as a duration, empty for anything else."""
    return lasting(number(value))
