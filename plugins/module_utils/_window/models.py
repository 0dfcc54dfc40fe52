# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A launch window as people write it down: days and hours of one time zone, less holidays and freezes."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .._arguments import options_or_refusal
from .._errors import InputError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
KEYS = frozenset({"timezone", "days", "start", "end", "holidays", "freezes"})
LISTS = {
    "holidays": {"type": "list", "elements": "str", "default": []},
    "freezes": {"type": "list", "elements": "dict", "default": []},
}
YEARS = range(2, 9999)
"""Of dates with another one before and after them."""
WHOLE_DAY = "24:00"

_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Freeze:
    """Local times without a zone; `until` is the first moment after it."""

    since: datetime
    until: datetime
    why: str


@dataclass(frozen=True)
class Window:
    """`length` is what the clocks on the wall go through, longer than a day never."""

    zone: ZoneInfo
    days: frozenset[int]
    start: time
    length: timedelta
    holidays: frozenset[date] = frozenset()
    freezes: tuple[Freeze, ...] = ()


def read_window(given: t.Mapping[str, t.Any]) -> Window:
    strange = sorted(map(str, set(given) - KEYS))
    if strange:
        raise InputError(
            f"The launch window has {strange[0]!r}; it may have {', '.join(sorted(KEYS))}."
        )
    listed = {name: given[name] for name in LISTS if given.get(name) not in (None, "")}
    lists = options_or_refusal(LISTS, listed)
    start, length = _hours(given.get("start", "00:00"), given.get("end", WHOLE_DAY))
    return Window(
        zone=_zone(given.get("timezone")),
        days=_days(given.get("days", DAYS)),
        start=start,
        length=length,
        holidays=frozenset(_date(one, "A holiday") for one in lists["holidays"]),
        freezes=tuple(_freeze(one) for one in lists["freezes"]),
    )


def _zone(name: t.Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name or ""))
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(
            f"The launch window's timezone {name!r} is unknown here: write it like "
            "Africa/Nairobi, and install the system's or Python's package 'tzdata' if no zone is "
            "known."
        ) from exc


def _days(given: t.Any) -> frozenset[int]:
    wanted = [str(one).strip().lower() for one in given] if isinstance(given, (list, tuple)) else []
    strange = [one for one in wanted if one not in DAYS]
    if strange or not wanted:
        raise InputError(
            f"The launch window's days are {given!r}: give a list of {', '.join(DAYS)}."
        )
    return frozenset(DAYS.index(one) for one in wanted)


def _hours(start: t.Any, end: t.Any) -> tuple[time, timedelta]:
    """An end that is not after the start is of the day after."""
    began = _hour(start, "start")
    ended = 24 * 60 if str(end) == WHOLE_DAY else _hour(end, "end")
    minutes = ended - began if ended > began else ended - began + 24 * 60
    return time(began // 60, began % 60), timedelta(minutes=minutes)


def _hour(given: t.Any, name: str) -> int:
    # YAML reads 09:00 without quotes as a number of minutes or seconds.
    found = _HOUR.fullmatch(str(given))
    if found is None:
        raise InputError(
            f"The launch window's {name} is {given!r}: write it in quotes with two digits each, like "
            f'"09:00"{" or " + repr(WHOLE_DAY) if name == "end" else ""}.'
        )
    return int(found[1]) * 60 + int(found[2])


def _date(given: t.Any, what: str) -> date:
    try:
        found = date.fromisoformat(str(given))
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise InputError(f"{what} of the launch window is {given!r}: write it like 2025-12-25.")
    return found


def _freeze(given: t.Any) -> Freeze:
    if not isinstance(given, dict) or not {"from", "to", "why"} >= set(given) >= {"from", "to"}:
        raise InputError(
            f"A freeze of the launch window is {given!r}: give it 'from', 'to' and 'why'."
        )
    since = _moment(given["from"], after=False)
    until = _moment(given["to"], after=True)
    if until <= since:
        raise InputError(
            f"A freeze of the launch window ends before it begins: from {given['from']} to {given['to']}."
        )
    return Freeze(since, until, str(given.get("why") or "no reason given"))


def _moment(given: t.Any, *, after: bool) -> datetime:
    """A date alone means all of that day."""
    text = str(given)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = _date(text, "A freeze")
        return datetime.combine(day + timedelta(days=1) if after else day, time())
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or found.year not in YEARS:
        raise InputError(
            f"A freeze of the launch window has the time {given!r}: write a date, or a local time like "
            "2025-12-20 18:00 without a zone."
        )
    return found
