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
  - Nobody is invited by the module. Whoever opens the file gets the event.
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
    description:
      - Time from which the days are counted, as ISO 8601, for example V(2026-11-24T06:00:00Z).
      - Without an offset it is UTC.
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
path:
  description: The file.
  returned: success
  type: str
  sample: .deploy/2.0.0/review.ics
start:
  description: When the event begins, in UTC.
  returned: success
  type: str
  sample: "2026-11-25T08:00:00Z"
end:
  description: When it ends, in UTC.
  returned: success
  type: str
  sample: "2026-11-25T08:30:00Z"
reason: {description: One word for why the task failed., returned: failure, type: str, sample: InvalidInput}
"""

import typing as t
from pathlib import Path

from ..module_utils._messages.calendar import (
    ICALENDAR,
    plan_event,
    read_file,
    render_event,
    write_file,
)
from ..module_utils._module import Module, documented, execute

NEEDS = (ICALENDAR,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    event = plan_event(module.params)
    path, after = Path(module.params["path"]), render_event(event)
    before = read_file(path)
    if before != after and not module.check_mode:
        write_file(path, after)
    result: dict[str, t.Any] = {
        "changed": before != after,
        "path": str(path),
        "start": event.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": event.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if module._diff:
        result["diff"] = {"before": before, "after": after}
    return result


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
