# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of PagerDuty's REST API that tells who is on call: /oncalls, /schedules, /schedules/{id}.

https://developer.pagerduty.com/api-reference. Shifts last a week, from Monday to Monday, and are everybody's own.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from sandbox.sinks.store import Record

SITE = "https://easymo.pagerduty.example"
SCHEDULE = "PONCALL"
POLICY = "PRELEAS"
# By escalation level: who, and by which schedule; the manager always is.
LEVELS = (
    ("PAMINA1", "Amina Uwase", SCHEDULE),
    ("PKWAME1", "Kwame Mensah", "PBACKUP"),
    ("PWANJIR", "Wanjiru Kariuki", ""),
)
NAMES = {SCHEDULE: "On-call engineers", "PBACKUP": "Backup engineers"}
WEEK = timedelta(weeks=1)
MOST = timedelta(days=90)
NOT_FOUND = 404, {"error": {"message": "Not Found", "code": 2100}}

Answer = tuple[int, Record]
Query = t.Any  # A multidict: names may come several times.


def answer(what: str, query: Query, now: datetime, *, nobody: bool) -> Answer:
    """HTTP status and body for a GET. `nobody`: of all shifts none is taken."""
    try:
        since, until = span(query, now)
    except ValueError as exc:
        error = {"message": "Invalid Input Provided", "code": 2001, "errors": [str(exc)]}
        return 400, {"error": error}
    kind, _, name = what.partition("/")
    if kind == "oncalls":
        return on_calls(query, since, until, nobody=nobody)
    if not name:
        schedules = [schedule(found) for found in NAMES]
        return 200, {"schedules": schedules, "limit": 25, "offset": 0, "more": False}
    if name not in NAMES:
        return NOT_FOUND
    asked = "since" in query and "until" in query
    shown = shifts(name, since, until) if asked and not nobody else []
    return 200, {"schedule": schedule(name) | rendered(shown, asked=asked, nobody=nobody)}


def span(query: Query, now: datetime) -> tuple[datetime, datetime]:
    """`since` and `until` as asked for, else this very moment."""
    since = moment(query["since"]) if "since" in query else now
    until = moment(query["until"]) if "until" in query else max(now, since)
    if until < since:
        raise ValueError("'until' must be after 'since'.")
    if until - since > MOST:
        raise ValueError("The time range cannot be longer than 90 days.")
    return since, until


def moment(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"'{text[:40]}' is not a valid date.") from exc
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def on_calls(query: Query, since: datetime, until: datetime, *, nobody: bool) -> Answer:
    policies = query.getall("escalation_policy_ids[]", [POLICY])
    wanted = query.getall("schedule_ids[]", None)
    people = query.getall("user_ids[]", None)
    listed: list[Record] = []
    for level, (person, name, by) in enumerate(LEVELS, 1):
        if nobody or POLICY not in policies:
            continue
        if (wanted and by not in wanted) or (people and person not in people):
            continue
        entry = {
            "user": reference("user", person, name),
            "escalation_policy": reference("escalation_policy", POLICY, "Releases"),
            "escalation_level": level,
            "schedule": reference("schedule", by, NAMES[by]) if by else None,
        }
        whole = shifts(by, since, until) if by else [{"start": None, "end": None}]
        listed += [entry | {end: shift[end] for end in ("start", "end")} for shift in whole]
    return 200, {"oncalls": listed, "limit": 25, "offset": 0, "more": False, "total": None}


def shifts(name: str, since: datetime, until: datetime) -> list[Record]:
    """Every shift of a schedule that lies in the span, whole or in part."""
    day = since.astimezone(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
    start = day - timedelta(days=day.weekday())
    if start > since:
        start -= WEEK
    found = []
    while start <= until:
        user = next(reference("user", who, called) for who, called, by in LEVELS if by == name)
        found.append({"start": stamp(start), "end": stamp(start + WEEK), "user": user})
        start += WEEK
    return found


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def schedule(name: str) -> Record:
    return {
        **reference("schedule", name, NAMES[name]),
        "type": "schedule",
        "name": NAMES[name],
        "time_zone": "Africa/Nairobi",
        "description": "",
        "escalation_policies": [reference("escalation_policy", POLICY, "Releases")],
        "users": [reference("user", who, called) for who, called, by in LEVELS if by == name],
        "teams": [],
    }


def rendered(entries: list[Record], *, asked: bool, nobody: bool) -> Record:
    """What a single schedule tells beside; its shifts only for who gives `since` and `until`."""
    coverage = None if not asked else 0.0 if nobody else 100.0
    final = {
        "name": "Final Schedule",
        "rendered_schedule_entries": entries,
        "rendered_coverage_percentage": coverage,
    }
    overrides: Record = {
        "name": "Overrides",
        "rendered_schedule_entries": [],
        "rendered_coverage_percentage": None,
    }
    return {"schedule_layers": [], "overrides_subschedule": overrides, "final_schedule": final}


def reference(kind: str, name: str, summary: str) -> Record:
    plural = {"escalation_policy": "escalation_policies"}.get(kind, f"{kind}s")
    return {
        "id": name,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"https://api.pagerduty.example/{plural}/{name}",
        "html_url": f"{SITE}/{plural}/{name}",
    }
