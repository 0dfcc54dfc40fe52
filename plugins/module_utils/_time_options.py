# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of tasks and filters that tell a time: a zone, a moment, an hour of a day. Wrong ones raise InputError."""

from __future__ import annotations

import datetime
import re
import typing as t
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._errors import InputError
from ._time import UTC, read_time


def start_of(since: datetime.datetime, days: int, time: str) -> datetime.datetime:
    """That time of the day in the zone, so many days later, in UTC."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", time)
    if not match:
        raise InputError(f"Option 'time' is '{time}': write it as hours and minutes, like 10:00.")
    day = since.date() + datetime.timedelta(days=days)
    local = datetime.datetime.combine(
        day, datetime.time(int(match[1]), int(match[2])), tzinfo=since.tzinfo
    )
    return local.astimezone(UTC)


def zone_of(name: str) -> datetime.tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"Option 'timezone' is '{name}', which is not a time zone: use one like Africa/Kigali."
        ) from None


def moment_of(text: str) -> datetime.datetime:
    try:
        return read_time(text)
    except ValueError:
        raise InputError(
            f"Option 'since' is '{text}', which is not a time: write it like 2026-11-24T06:00:00Z."
        ) from None


def is_within(hours: t.Mapping[str, t.Any], moment: datetime.datetime) -> bool:
    """Whether it is at or after `from` and before `until` in the `timezone`, which may go over midnight."""
    local = moment.astimezone(zone_of(str(hours.get("timezone") or "UTC")))
    begin, end = (start_of(local, 0, str(hours.get(name))) for name in ("from", "until"))
    if begin <= end:
        return begin <= local < end
    return local >= begin or local < end
