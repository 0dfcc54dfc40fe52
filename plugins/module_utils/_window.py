# SPDX-License-Identifier: GPL-3.0-or-later
"""A launch window as people write it down: days and hours of one time zone, less holidays and freezes. When it is open,
when it closes and opens next, and how that is said. Pure.
"""

from __future__ import annotations

import heapq
import itertools
import re
import typing as t
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._arguments import options_or_refusal
from ._errors import InputError
from ._time import UTC

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
    """In UTC; `until` is the first moment after it."""

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
    zone = _zone(given.get("timezone"))
    start, length = _hours(given.get("start", "00:00"), given.get("end", WHOLE_DAY))
    return Window(
        zone=zone,
        days=_days(given.get("days", DAYS)),
        start=start,
        length=length,
        holidays=frozenset(_date(holiday, "A holiday") for holiday in lists["holidays"]),
        freezes=tuple(_freeze(freeze, zone) for freeze in lists["freezes"]),
    )


def _zone(name: t.Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name or ""))
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(
            f"The launch window's timezone {name!r} is unknown here: write it like Africa/Nairobi, "
            "and install the system's or Python's package 'tzdata' if no zone is known."
        ) from exc


def _days(given: t.Any) -> frozenset[int]:
    entries = given if isinstance(given, (list, tuple)) else ()
    wanted = [str(entry).strip().lower() for entry in entries]
    if not wanted or not set(wanted) <= set(DAYS):
        raise InputError(
            f"The launch window's days are {given!r}: give a list of {', '.join(DAYS)}."
        )
    return frozenset(DAYS.index(entry) for entry in wanted)


def _hours(start: t.Any, end: t.Any) -> tuple[time, timedelta]:
    """An end that is not after the start is of the day after."""
    began = _hour(start, "start")
    ended = 24 * 60 if str(end) == WHOLE_DAY else _hour(end, "end")
    minutes = ended - began if ended > began else ended - began + 24 * 60
    return time(began // 60, began % 60), timedelta(minutes=minutes)


def _hour(given: t.Any, name: str) -> int:
    # YAML reads 09:00 without quotes as a number of minutes or seconds.
    match = _HOUR.fullmatch(str(given))
    if match is None:
        raise InputError(
            f"The launch window's {name} is {given!r}: write it in quotes with two digits each, like "
            f'"09:00"{" or " + repr(WHOLE_DAY) if name == "end" else ""}.'
        )
    return int(match[1]) * 60 + int(match[2])


def _date(given: t.Any, what: str) -> date:
    try:
        result = date.fromisoformat(str(given))
    except ValueError:
        result = None
    if result is None or result.year not in YEARS:
        raise InputError(f"{what} of the launch window is {given!r}: write it like 2025-12-25.")
    return result


def _freeze(given: t.Any, zone: ZoneInfo) -> Freeze:
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
    why = str(given.get("why") or "no reason given")
    return Freeze(instant(since, zone), instant(until, zone), why)


def _moment(given: t.Any, *, after: bool) -> datetime:
    """A date alone means all of that day."""
    text = str(given)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = _date(text, "A freeze")
        return datetime.combine(day + timedelta(days=1) if after else day, time())
    try:
        result = datetime.fromisoformat(text)
    except ValueError:
        result = None
    if result is None or result.tzinfo is not None or result.year not in YEARS:
        raise InputError(
            f"A freeze of the launch window has the time {given!r}: write a date, or a local time like "
            "2025-12-20 18:00 without a zone."
        )
    return result


FAR = timedelta(days=400)
"""How far ahead the next opening is looked for."""
LONG = timedelta(days=7)
"""What is open for so long without a break counts as never closing."""

SOON = timedelta(hours=1)
"""What begins so long before it opens, which only looks, belongs to it."""


@dataclass(frozen=True)
class Outlook:
    """`closes` is None while closed and for a window that never closes; `opens` None when none is in sight.

    `why` says what keeps it closed besides its hours, "" for nothing. All times are in UTC.
    """

    open: bool
    closes: datetime | None
    opens: datetime | None
    why: str


def outlook(window: Window, now: datetime) -> Outlook:
    now = now.astimezone(UTC)
    is_open = _is_open(window, now)
    ahead = itertools.takewhile(lambda moment: moment < now + FAR, _changes(window, now))
    changes = (moment for moment in ahead if moment > now and _is_open(window, moment) != is_open)
    change = next(changes, None)
    if is_open:
        endless = change is None or change - now > LONG
        return Outlook(True, None if endless else change, None, "")
    return Outlook(False, None, change, _why(window, now))


def instant(local: datetime, zone: tzinfo) -> datetime:
    """A local time in UTC.

    One that the clocks show twice is the first of both; one that they jump over is the moment of the jump.
    """
    first = local.replace(tzinfo=zone, fold=0)
    result = first.astimezone(UTC)
    shown = result.astimezone(zone).replace(tzinfo=None)
    if shown == local:
        return result
    # Over the gap, the two folds are as far from the jump as the gap is long, one on each side.
    low, high = sorted((result, local.replace(tzinfo=zone, fold=1).astimezone(UTC)))
    before = low.astimezone(zone).utcoffset()
    minute = timedelta(minutes=1)
    moments = (low + count * minute for count in range((high - low) // minute))
    after = (moment for moment in moments if moment.astimezone(zone).utcoffset() != before)
    return next(after, high)


def _changes(window: Window, now: datetime) -> t.Iterator[datetime]:
    """When it may open or close, from the day before `now` on, in order. Each day is computed when it is asked for."""
    first = now.astimezone(window.zone).date()
    days = (first + timedelta(days=day) for day in range(-1, FAR.days))
    hours = (moment for day in days for moment in _hours_of(window, day))
    frozen = sorted(at for freeze in window.freezes for at in (freeze.since, freeze.until))
    return heapq.merge(hours, frozen)


def _hours_of(window: Window, day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, window.start)
    return instant(start, window.zone), instant(start + window.length, window.zone)


def _is_open(window: Window, moment: datetime) -> bool:
    if any(freeze.since <= moment < freeze.until for freeze in window.freezes):
        return False
    today = moment.astimezone(window.zone).date()
    for day in (today, today - timedelta(days=1)):
        start, end = _hours_of(window, day)
        if start <= moment < end and day.weekday() in window.days and day not in window.holidays:
            return True
    return False


def _why(window: Window, now: datetime) -> str:
    local = now.astimezone(window.zone)
    for freeze in window.freezes:
        if freeze.since <= now < freeze.until:
            return f"a freeze: {freeze.why}"
    return "a holiday" if local.date() in window.holidays else ""


def describe(moment: datetime, window: Window) -> str:
    """In the window's own time and in UTC."""
    local = moment.astimezone(window.zone)
    return f"{local:%A %Y-%m-%d %H:%M %Z} ({moment.astimezone(UTC):%Y-%m-%d %H:%M UTC})"


def closed_sentence(window: Window, observed: Outlook) -> str:
    because = f", for {observed.why}" if observed.why else ""
    if observed.opens is None:
        return f"the launch window is closed{because} for {FAR.days} days"
    return f"the launch window is closed{because}; it opens next {describe(observed.opens, window)}"


def for_people(window: Window, now: datetime) -> str:
    """Its hours as an announcement tells them, like 09:00 AM - 11:00 AM EAT; outside of them, from when on."""
    observed = outlook(window, now)
    if not observed.open and (observed.opens is None or observed.opens - now > SOON):
        return f"from {now.astimezone(window.zone):%I:%M %p %Z} on, outside of the launch window"
    if window.length == timedelta(days=1):
        return "any time"
    # Whether it is summer time is a matter of the day on which it is open.
    moment = now if observed.open or observed.opens is None else observed.opens
    day = moment.astimezone(window.zone)
    start = day.replace(hour=window.start.hour, minute=window.start.minute)
    end = start.replace(tzinfo=None) + window.length
    return f"{start:%I:%M %p} - {end:%I:%M %p} {start:%Z}"
