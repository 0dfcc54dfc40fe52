# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody is on call now and to the release's end, as PagerDuty's REST API tells."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import VerificationError
from .._http import REQUESTS
from .._time import UTC, format_time, read_time
from .http import get_json
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names, service


@dataclass(frozen=True)
class Shift:
    """`until` is None for one that never ends."""

    who: str
    since: datetime
    until: datetime | None


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    until = ground.now + timedelta(minutes=options["minutes"])
    return [
        judge(name, list(_shifts(options, name, until, ground)), ground.now, until)
        for name in options["schedules"]
    ]


def judge(schedule: str, shifts: t.Sequence[Shift], now: datetime, until: datetime) -> Finding:
    """Every moment from `now` to `until` needs somebody."""
    covered, people = now, []
    for shift in sorted(shifts, key=lambda one: one.since):
        if shift.since > covered or covered > until:
            break
        if shift.until is None or shift.until > covered:
            people.append(shift.who)
            covered = shift.until or until + timedelta(seconds=1)
    told = ", then ".join(dict.fromkeys(people))
    if covered >= until and people:
        return passed(f"{told} on call to {until.astimezone(UTC):%H:%M UTC}, says {schedule}")
    gap = f"{covered.astimezone(UTC):%Y-%m-%d %H:%M UTC}"
    whom = f"{told} is on call only until {gap}" if people else "nobody is on call"
    return failed(f"{whom} in the schedule {schedule}: find somebody until {until:%H:%M UTC}")


def _shifts(options: Options, schedule: str, until: datetime, ground: Ground) -> t.Iterator[Shift]:
    answer = get_json(
        "PagerDuty",
        f"{options['api_url'].rstrip('/')}/oncalls",
        timeout=ground.timeout,
        authorization=f"Token token={options['token']}" if options["token"] else "",
        ca_cert=options["ca_cert"],
        params=[
            ("schedule_ids[]", schedule),
            ("since", format_time(ground.now)),
            ("until", format_time(until)),
            ("limit", "100"),
        ],
    )
    try:
        for one in answer["oncalls"]:
            yield Shift(
                who=str(one["user"].get("summary") or one["user"]["id"]),
                since=read_time(one["start"]) if one["start"] else ground.now,
                until=read_time(one["end"]) if one["end"] else None,
            )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise VerificationError("PagerDuty's answer is no on-call list: check 'api_url'.") from None


KIND = Kind(
    look,
    {
        **service("https://api.pagerduty.com"),
        "schedules": names(required=True),
        "minutes": {"type": "int", "default": 0},
    },
    (REQUESTS,),
)
