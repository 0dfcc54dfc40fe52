#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: calendar_event
short_description: Write an event as a file that every calendar reads
version_added: 0.2.0
description:
  - Writes one event into an C(.ics) file (RFC 5545), to attach it to a mail or to lay it beside a report.
  - The day is counted from a given time and the hour is that of a time zone, so the same options make the same file.
  - The module invites no person. A person who opens the file gets the event.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._libraries.icalendar
options:
  path:
    description: The file. Its folder is made if it is missing.
    type: path
    required: true
  uid:
    description: Names the event for ever. A calendar that knows it updates the event instead of adding another.
    type: str
    required: true
  summary:
    description: The title.
    type: str
    required: true
  description:
    description: More about it.
    type: str
    default: ""
  location:
    description: Where it takes place.
    type: str
    default: ""
  since:
    description: Time from which the days are counted, as ISO 8601. Without an offset it is UTC.
    type: str
    required: true
  days:
    description: How many days after the day of O(since), as it is in O(timezone).
    type: int
    default: 0
  time:
    description: Hour and minute of its start in O(timezone), for example V(10:00).
    type: str
    required: true
  timezone:
    description: A time zone of the IANA data base. The file has the times in UTC.
    type: str
    default: UTC
  minutes:
    description: How many minutes it takes.
    type: int
    default: 30
  organizer:
    description: E-mail address of who invites.
    type: str
    default: ""
  attendees:
    description: E-mail addresses of who takes part.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Write the invitation to the review on day 2
  easymo.deploy.calendar_event:
    path: ".deploy/{{ release_version }}/review.ics"
    uid: "release-{{ release_version }}-review@example.com"
    summary: "Day 2 review of Shop {{ release_version }}"
    since: "{{ release_record.record.started }}"
    days: 1
    time: "10:00"
    timezone: Africa/Kigali
"""

RETURN = r"""
start:
  description: When the event begins, in UTC.
  returned: success
  type: str
"""

import re
import typing as t
from datetime import datetime, timedelta
from pathlib import Path

from ..module_utils._errors import InputError, Library
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._report.files import ReportFolder
from ..module_utils._time import format_time, moment_of, start_of, zone_of

ICALENDAR = Library("icalendar >= 7")
with ICALENDAR:
    import icalendar
PRODUCT = "-//easymo.deploy//release//EN"

module_spec = documented(DOCUMENTATION, needs=(ICALENDAR,))


def run(module: Module) -> dict[str, t.Any]:
    path, (start, after) = Path(module.params["path"]), planned_event(module.params)
    folder = ReportFolder(path.parent)
    before = folder.read([path.name]).get(path.name, "")
    if before != after and not module.check_mode:
        folder.write({path.name: after})
    diff = {"before": before, "after": after}
    return {"changed": before != after, "start": format_time(start), "diff": diff}


def planned_event(params: t.Mapping[str, t.Any]) -> tuple[datetime, str]:
    """Its start, and the file with the line ends and folds of RFC 5545; what is wrong is named.

    When it was made is part of the file, so it must not be the time of writing it.
    """
    zone, since = zone_of(params["timezone"]), moment_of(params["since"])
    start = start_of(since.astimezone(zone), params["days"], params["time"])
    refuse_below(params, minutes=1)
    organizers = [params["organizer"]] if params["organizer"] else []
    for address in (*params["attendees"], *organizers):
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
            raise InputError(
                f"'{address}' among organizer and attendees is not an e-mail address: correct it."
            )
    event = icalendar.Event()
    event.add("uid", params["uid"])
    event.add("dtstamp", since)
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=params["minutes"]))
    for name in ("summary", "description", "location"):
        if params[name]:
            event.add(name, params[name])
    for role, addresses in (("organizer", organizers), ("attendee", params["attendees"])):
        for address in addresses:
            event.add(role, f"mailto:{address}")
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return start, calendar.to_ical().decode("utf-8")


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
