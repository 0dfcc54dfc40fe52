# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments as RFC 3339 writes them, and the time that is left.

Options of tasks and filters that tell a time: a zone, a moment, an hour of a day. Wrong ones raise InputError.
"""

from __future__ import annotations

import re
import time
import typing as t
from datetime import datetime, timedelta, timezone, tzinfo
from datetime import time as time_of_day
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._errors import InputError

UTC = timezone.utc  # noqa: UP017 - one spelling for every Python of a target


class Deadline:
    """Seconds that are left, on a monotonic clock."""

    def __init__(
        self,
        seconds: float,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.sleep = sleep

    def left(self) -> float:
        return self._end - self._clock()


def now() -> datetime:
    return datetime.now(UTC)


def utc_now() -> str:
    """Now with whole seconds, as Kubernetes writes times."""
    return format_time(now())


def utc_milliseconds() -> str:
    """Now as 2026-11-24T06:00:00.123Z."""
    return now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_time(moment: datetime) -> str:
    """In UTC with whole seconds: 2026-11-24T06:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_epoch(seconds: float | None) -> str:
    """Seconds since 1970 as RFC 3339; "" for what is not known or no time."""
    try:
        return "" if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, OSError, ValueError):
        return ""


def read_time(value: t.Any, *, zone: tzinfo | None = UTC) -> datetime:
    """Of RFC 3339, in UTC. `zone` is that of a time without one, which None refuses. Raises ValueError."""
    # Before Python 3.11 fromisoformat knows no Z.
    result = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    if result.tzinfo is None and zone is None:
        raise ValueError(f"{value!r} has no time zone")
    try:
        return (result if result.tzinfo else result.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(str(exc)) from exc


def parse_time(value: t.Any) -> datetime | None:
    """As `read_time`; None for what is no time."""
    try:
        return read_time(value)
    except ValueError:
        return None


def epoch(value: t.Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None for what is no time."""
    result = parse_time(value)
    return result.timestamp() if result else None


def start_of(since: datetime, days: int, time: str) -> datetime:
    """That time of the day in the zone, so many days later, in UTC."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", time)
    if not match:
        raise InputError(f"Option 'time' is '{time}': write it as hours and minutes, like 10:00.")
    day = since.date() + timedelta(days=days)
    local = datetime.combine(day, time_of_day(int(match[1]), int(match[2])), tzinfo=since.tzinfo)
    return local.astimezone(UTC)


def zone_of(name: str, option: str = "timezone") -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"Option '{option}' is '{name}', which is not a time zone: use one like Africa/Kigali, "
            "and install the package tzdata where none is known."
        ) from None


def moment_of(text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError:
        raise InputError(
            f"Option 'since' is '{text}', which is not a time: write it like 2026-11-24T06:00:00Z."
        ) from None


def is_within(hours: t.Mapping[str, t.Any], moment: datetime) -> bool:
    """Whether it is at or after `from` and before `until` in the `timezone`, which may go over midnight.

    Of the same hour twice it is always, as of a launch window.
    """
    local = moment.astimezone(zone_of(str(hours.get("timezone") or "UTC")))
    begin, end = (start_of(local, 0, str(hours.get(name))) for name in ("from", "until"))
    if begin < end:
        return begin <= local < end
    return local >= begin or local < end
