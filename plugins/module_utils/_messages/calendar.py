# SPDX-License-Identifier: GPL-3.0-or-later
"""An event of a calendar as a file: RFC 5545 by icalendar, in UTC, so that no reader needs our time zone."""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import InputError, Library
from .._time import moment_of, start_of, zone_of

ICALENDAR = Library("icalendar >= 7")
with ICALENDAR:
    import icalendar
PRODUCT = "-//easymo.deploy//release//EN"


@dataclass(frozen=True)
class CalendarEvent:
    """`stamp` is when it was made: part of the file, so it must not be the time of writing it."""

    uid: str
    summary: str
    description: str
    location: str
    stamp: datetime.datetime
    start: datetime.datetime
    end: datetime.datetime
    organizer: str = ""
    attendees: tuple[str, ...] = ()


def plan_event(params: t.Mapping[str, t.Any]) -> CalendarEvent:
    """From a task's options; what is wrong is named."""
    zone = zone_of(params["timezone"])
    since = moment_of(params["since"])
    start = start_of(since.astimezone(zone), params["days"], params["time"])
    if params["minutes"] < 1:
        raise InputError(f"Option 'minutes' is {params['minutes']}; it is at least 1.")
    addresses = (*params["attendees"], *([params["organizer"]] if params["organizer"] else []))
    for address in addresses:
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
            raise InputError(
                f"'{address}' among organizer and attendees is not an e-mail address: correct it."
            )
    return CalendarEvent(
        uid=params["uid"],
        summary=params["summary"],
        description=params["description"],
        location=params["location"],
        stamp=since,
        start=start,
        end=start + datetime.timedelta(minutes=params["minutes"]),
        organizer=params["organizer"],
        attendees=tuple(params["attendees"]),
    )


def render_event(event: CalendarEvent) -> str:
    """The file's text, with the line ends and folds of RFC 5545."""
    entry = icalendar.Event()
    entry.add("uid", event.uid)
    entry.add("dtstamp", event.stamp)
    entry.add("dtstart", event.start)
    entry.add("dtend", event.end)
    for name in ("summary", "description", "location"):
        if getattr(event, name):
            entry.add(name, getattr(event, name))
    if event.organizer:
        entry.add("organizer", f"mailto:{event.organizer}")
    for attendee in event.attendees:
        entry.add("attendee", f"mailto:{attendee}")
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(entry)
    return str(calendar.to_ical().decode("utf-8"))


def read_file(path: Path) -> str:
    """Its text, "" when there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise InputError(f"{path} can't be read ({exc.strerror}): check 'path'.") from None


def write_file(path: Path, text: str) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(text.encode("utf-8"))
        partial.replace(path)
    except OSError as exc:
        raise InputError(f"{path} can't be written ({exc.strerror}): check 'path'.") from None
