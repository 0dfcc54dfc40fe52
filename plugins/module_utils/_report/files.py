# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a report, and the files in it that people write in: the review, and the incident."""

from __future__ import annotations

import os
import re
import threading
import typing as t
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path

from .._claims.rollback import causes_of
from .._errors import InputError
from .._formats import LONGEST, legible, shown
from .._release.record import Record
from .._time import parse_time
from .deviations import acts
from .models import Report

if t.TYPE_CHECKING:
    from datetime import tzinfo


class ReportFolder:
    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"dest is '{path}', which is a file: name a folder.")
        self._path = path

    def read(self, names: t.Iterable[str]) -> dict[str, str]:
        """Content by name; what is not there, or is no text, is missing."""
        results = {}
        for name in names:
            try:
                results[name] = (self._path / name).read_text(encoding="utf-8")
            except (FileNotFoundError, UnicodeDecodeError):
                continue
            except OSError as exc:
                raise InputError(f"{self._path / name} can't be read: {exc.strerror}.") from exc
        return results

    def write(self, files: t.Mapping[str, str]) -> None:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                # Another run may write the same file now.
                mine = f"{os.getpid()}-{threading.get_ident()}"
                partial = self._path / f".{name}.{mine}.partial"
                partial.write_text(content, encoding="utf-8")
                partial.replace(self._path / name)
        except OSError as exc:
            raise InputError(
                f"The report can't be written to {self._path} ({exc.strerror}): check dest."
            ) from exc


@contextmanager
def journal_lines(path: Path | None) -> t.Iterator[t.Iterable[str]]:
    """Line by line, for a journal may be large. None is there without a path or a file: nothing depends on it."""
    if path is None or not path.is_file():
        yield ()
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield file
    except OSError as exc:
        raise InputError(f"The journal {path} can't be read: {exc.strerror}.") from exc


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
                (cause.sentence(zone) for cause in reversed(causes_of(record))),
                "No cause is recorded.",
            ),
        ),
        ("What was done", bullets(done(record), "No action is recorded.")),
        (
            "Deviations from the runbook",
            bullets([deviation.sentence() for deviation in report.deviations], "Nowhere."),
        ),
    ]
    return "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in parts)


def bullets(lines: t.Iterable[str], empty: str = "") -> list[str]:
    return [f"- {escaped(line)}" for line in lines] or [empty]


def events(report: Report, record: Record) -> list[Event]:
    """All moments of the record, in their order."""
    results: list[tuple[datetime | None, str]] = [
        (
            parse_time(record.started),
            f"The release was begun by {record.actor or 'somebody'}.",
        ),
        (parse_time(record.finished), f"The release ended: {report.verdict.word.lower()}."),
    ]
    for row in report.phases:
        for try_ in row.tries:
            cause = f": {try_.causes[0]}" if try_.causes else "."
            results.append((try_.started, f"{row.title} began."))
            results.append((try_.finished, f"{row.title}: {try_.status}{cause}"))
    results += [(entry.at, entry.text) for entry in acts(record)]
    return sorted(((at, text) for at, text in results if at), key=lambda event: event[0])


def when(results: t.Sequence[Event], zone: tzinfo) -> list[str]:
    if not results:
        return ["No time is recorded."]
    local = results[0][0].astimezone(zone).tzname() or "local"
    if local == "UTC":
        rows = [f"| {at:%Y-%m-%d %H:%M:%S} | {escaped(text)} |" for at, text in results]
        return ["| UTC | what |", "|---|---|", *rows]
    rows = [
        f"| {at:%Y-%m-%d %H:%M:%S} | {at.astimezone(zone):%Y-%m-%d %H:%M:%S} | {escaped(text)} |"
        for at, text in results
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
        for metric in watch.metrics:
            if metric.verdict.tone == "bad":
                yield f"Metric {metric.name}: {metric.verdict.text}. {' '.join(metric.words)}"
    yield "Affected users, and for how long: fill in below."


def done(record: Record) -> t.Iterator[str]:
    yield from filter(None, (phase.evidence.settlement for phase in record.phases.values()))
    for entry in record.facts.services_returned:
        back = entry.after or "what ran before"
        stuck = entry.message
        yield (
            f"{entry.name} did not go back: {stuck}"
            if stuck
            else f"{entry.name} went back to {back}."
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
    results = {
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
        results[name] = written(f"Incident: {report.title}", facts, FOLLOW_UPS, before.get(name))
    return results


def incident_name(record: t.Mapping[str, t.Any]) -> str:
    """Each attempt may have an incident of its own."""
    attempt = record.get("attempt")
    later = isinstance(attempt, int) and attempt > 1
    return f"incident-{attempt}.md" if later else "incident.md"


def written(title: str, facts: str, rest: str, before: str | None) -> str:
    """A file of which the record writes one part and people the rest, which is kept."""
    head, _begin, tail = (before or "").partition(BEGIN)
    _facts, end, stored = tail.partition(END)
    if not end:
        # The file of somebody who took the marks out is theirs as a whole.
        return before or f"# {escaped(title)}\n\n{BEGIN}\n\n{facts}\n\n{END}\n{rest}"
    return f"{head}{BEGIN}\n\n{facts}\n\n{END}{stored}"
