# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened when a release failed or went back, as Markdown, for whoever writes the incident up."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, tzinfo

from .._claims.cause import causes_of
from .._story.record import Record
from .._time import parse_time
from .events import acts
from .models import Report
from .times import shown

INCIDENTS = ("Failed", "Rolled back")
MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")

Event = tuple[datetime, str]


def escaped(value: str) -> str:
    """As Markdown shows it literally, on one line."""
    return MARKUP.sub(r"\\\1", " ".join(value.split()))


def is_incident(report: Report) -> bool:
    return report.verdict.word in INCIDENTS


def incident_facts(report: Report, record: Record, zone: tzinfo) -> str:
    """The part that the record can tell."""
    parts = [
        (
            "What happened",
            [f"**{escaped(report.verdict.word)}.** {escaped(report.verdict.sentence)}"],
        ),
        ("When", when(events(report, record), zone)),
        ("Known impact", bullets(impact(report, record))),
        (
            "Cause, as it was recorded",
            bullets(
                (one.sentence(zone) for one in reversed(causes_of(record))),
                "No cause is recorded.",
            ),
        ),
        ("What was done", bullets(done(record), "No action is recorded.")),
        (
            "Deviations from the runbook",
            bullets([one.sentence() for one in report.deviations], "Nowhere."),
        ),
    ]
    return "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in parts)


def bullets(lines: t.Iterable[str], empty: str = "") -> list[str]:
    return [f"- {escaped(line)}" for line in lines] or [empty]


def events(report: Report, record: Record) -> list[Event]:
    """All moments of the record, in their order."""
    found: list[tuple[datetime | None, str]] = [
        (
            parse_time(record.started),
            f"The release was begun by {record.actor or 'somebody'}.",
        ),
        (parse_time(record.finished), f"The release ended: {report.verdict.word.lower()}."),
    ]
    for row in report.phases:
        for one in row.tries:
            cause = f": {one.causes[0]}" if one.causes else "."
            found.append((one.started, f"{row.title} began."))
            found.append((one.finished, f"{row.title}: {one.status}{cause}"))
    found += [(one.at, one.said) for one in acts(record)]
    return sorted(((at, said) for at, said in found if at), key=lambda event: event[0])


def when(found: t.Sequence[Event], zone: tzinfo) -> list[str]:
    if not found:
        return ["No time is recorded."]
    local = found[0][0].astimezone(zone).tzname() or "local"
    if local == "UTC":
        rows = [f"| {at:%Y-%m-%d %H:%M:%S} | {escaped(said)} |" for at, said in found]
        return ["| UTC | what |", "|---|---|", *rows]
    rows = [
        f"| {at:%Y-%m-%d %H:%M:%S} | {at.astimezone(zone):%Y-%m-%d %H:%M:%S} | {escaped(said)} |"
        for at, said in found
    ]
    return [f"| UTC | {escaped(local)} | what |", "|---|---|---|", *rows]


def impact(report: Report, record: Record) -> t.Iterator[str]:
    traffic = record.section("traffic")
    if isinstance(traffic, dict) and "failed" in traffic:
        yield f"Counted failed requests: {traffic['failed']} of {traffic.get('sent', '')}."
    for table in report.tables:
        if table.title in ("Services", "Tests") and table.standing_out():
            yield f"{table.title}: {table.lead}"
    for watch in report.watches:
        for one in watch.metrics:
            if one.verdict.tone == "bad":
                yield f"Metric {one.name}: {one.verdict.text}. {' '.join(one.words)}"
    yield "Affected users, and for how long: fill in below."


def done(record: Record) -> t.Iterator[str]:
    yield from filter(None, (phase.evidence.settlement for phase in record.phases.values()))
    for one in record.facts.services_returned:
        back = one.after or "what ran before"
        stuck = one.message
        yield (
            f"{one.name} did not go back: {stuck}" if stuck else f"{one.name} went back to {back}."
        )
    for name, act in record.facts.restored:
        yield f"{name} was restored from {act.backup}."
    yield from record.notes
    if record.finished:
        yield f"The record was closed at {shown(record.finished)}."


def lessons_facts(report: Report) -> str:
    parts = [
        ("What went well", report.lessons.well, "The record is empty."),
        ("What did not", report.lessons.not_well, "The record is empty."),
        ("Open questions", report.lessons.change, "What would make the next release easier?"),
    ]
    return "\n\n".join(
        "\n".join([f"## {name}", "", *bullets(lines, empty)]) for name, lines, empty in parts
    )
