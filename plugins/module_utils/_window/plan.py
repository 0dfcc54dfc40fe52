# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""When a launch window is open, when it closes and opens next, and how that is said. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from .._time import UTC
from .models import Window

FAR = timedelta(days=400)
"""How far ahead the next opening is looked for."""
LONG = timedelta(days=7)
"""What is open for so long without a break counts as never closing."""

Span = tuple[datetime, datetime]


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
    for since, until in _joined(_spans(window, now - timedelta(days=2), now + FAR)):
        if since <= now < until:
            endless = until - now > LONG
            return Outlook(True, None if endless else until, None, "")
        if since > now:
            return Outlook(False, None, since, _why(window, now))
    return Outlook(False, None, None, _why(window, now))


def instant(local: datetime, zone: tzinfo) -> datetime:
    """A local time in UTC.

    One that the clocks show twice is the first of both; one that they jump over is the moment of the jump.
    """
    first = local.replace(tzinfo=zone, fold=0)
    found = first.astimezone(UTC)
    shown = found.astimezone(zone).replace(tzinfo=None)
    if shown == local:
        return found
    # Over the gap, the two folds are as far from the jump as the gap is long, one on each side.
    low, high = sorted((found, local.replace(tzinfo=zone, fold=1).astimezone(UTC)))
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _spans(window: Window, since: datetime, until: datetime) -> t.Iterator[Span]:
    """The single openings in order, freezes cut out."""
    day = since.astimezone(window.zone).date()
    while (start := instant(datetime.combine(day, window.start), window.zone)) < until:
        if day.weekday() in window.days and day not in window.holidays:
            end = instant(datetime.combine(day, window.start) + window.length, window.zone)
            yield from _thawed(window, (start, end))
        day += timedelta(days=1)


def _thawed(window: Window, span: Span) -> list[Span]:
    # Hours that the clocks jump over leave nothing.
    left = [span] if span[0] < span[1] else []
    for freeze in window.freezes:
        cold = instant(freeze.since, window.zone), instant(freeze.until, window.zone)
        left = [
            part
            for start, end in left
            for part in ((start, min(end, cold[0])), (max(start, cold[1]), end))
            if part[0] < part[1]
        ]
    return sorted(left)


def _joined(spans: t.Iterable[Span]) -> t.Iterator[Span]:
    """Openings that follow one another without a gap are one."""
    current: Span | None = None
    for start, end in spans:
        if current is None:
            current = (start, end)
        elif start <= current[1]:
            current = (current[0], max(end, current[1]))
        else:
            yield current
            current = (start, end)
    if current is not None:
        yield current


def _why(window: Window, now: datetime) -> str:
    local = now.astimezone(window.zone)
    for freeze in window.freezes:
        if instant(freeze.since, window.zone) <= now < instant(freeze.until, window.zone):
            return f"a freeze: {freeze.why}"
    return "a holiday" if local.date() in window.holidays else ""


def describe(moment: datetime, window: Window) -> str:
    """In the window's own time and in UTC."""
    local = moment.astimezone(window.zone)
    return f"{local:%A %Y-%m-%d %H:%M %Z} ({moment.astimezone(UTC):%Y-%m-%d %H:%M UTC})"


def closed_sentence(window: Window, seen: Outlook) -> str:
    because = f", for {seen.why}" if seen.why else ""
    if seen.opens is None:
        return f"the launch window is closed{because} for {FAR.days} days"
    return f"the launch window is closed{because}; it opens next {describe(seen.opens, window)}"


def for_people(window: Window, now: datetime) -> str:
    """Its hours as an announcement tells them, like 09:00 AM - 11:00 AM EAT."""
    if window.length == timedelta(days=1):
        return "any time"
    # Whether it is summer time is a matter of the day on which it is open.
    seen = outlook(window, now)
    day = (now if seen.open or seen.opens is None else seen.opens).astimezone(window.zone)
    start = day.replace(hour=window.start.hour, minute=window.start.minute)
    end = start.replace(tzinfo=None) + window.length
    return f"{start:%I:%M %p} - {end:%I:%M %p} {start:%Z}"
