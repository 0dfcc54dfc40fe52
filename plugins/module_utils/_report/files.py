# SPDX-License-Identifier: GPL-3.0-or-later
"""The files beside a report that people write in: the review, and the incident when there was one."""

from __future__ import annotations

import typing as t

from .._story.record import Record
from .incident import escaped, incident_facts, is_incident, lessons_facts
from .legible import LONGEST, legible
from .models import Report

if t.TYPE_CHECKING:
    from datetime import tzinfo

BEGIN = "<!-- facts: begin. Written from the release record; text outside is yours and is kept. -->"
END = "<!-- facts: end -->"

FOLLOW_UPS = """
## Impact on users

How many users noticed, what did they see, from when to when?

## Root cause

Why did it happen, and why was it not seen before the release?

## Follow-ups

| what | who | until |
|---|---|---|
|  |  |  |
|  |  |  |

## Who took part

On-call, who decided, who was told and when.
"""

REVIEW = """
## Added by people: what went well

## Added by people: what did not

## Added by people: what we change

| what | who | until |
|---|---|---|
|  |  |  |
"""


def notes_of(
    report: Report, record: t.Mapping[str, t.Any], zone: tzinfo, before: t.Mapping[str, str]
) -> dict[str, str]:
    """Content by name; `before` is what the files hold already."""
    found = {
        "lessons.md": written(
            f"Lessons learned from {report.title}",
            lessons_facts(report),
            REVIEW,
            before.get("lessons.md"),
        )
    }
    if is_incident(report):
        name = incident_name(record)
        facts = incident_facts(report, Record.read(legible(record, LONGEST)), zone)
        found[name] = written(f"Incident: {report.title}", facts, FOLLOW_UPS, before.get(name))
    return found


def incident_name(record: t.Mapping[str, t.Any]) -> str:
    """Each attempt may have an incident of its own."""
    attempt = record.get("attempt")
    later = isinstance(attempt, int) and attempt > 1
    return f"incident-{attempt}.md" if later else "incident.md"


def written(title: str, facts: str, rest: str, before: str | None) -> str:
    """A file of which the record writes one part and people the rest, which is kept."""
    head, _begin, tail = (before or "").partition(BEGIN)
    _facts, end, kept = tail.partition(END)
    if not end:
        # The file of somebody who took the marks out is theirs as a whole.
        return before or f"# {escaped(title)}\n\n{BEGIN}\n\n{facts}\n\n{END}\n{rest}"
    return f"{head}{BEGIN}\n\n{facts}\n\n{END}{kept}"
