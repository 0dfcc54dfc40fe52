# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a report, and the files in it that people write in: the review, and the incident."""

from __future__ import annotations

import os
import re
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._claims.claims import causes_of
from .._errors import InputError
from .._formats import LONGEST, WORD_JOINER, bare, legible, listed, shown
from .._release.record import ON_HOLD, Record
from .._time import UTC, parse_time
from .models import Report
from .phases import FAILED
from .sections import rights_in_words


@dataclass(frozen=True)
class ReportFolder:
    path: Path

    def read(self, names: t.Iterable[str]) -> dict[str, str]:
        """Content by name; what is not there, or is no text, is missing."""
        results = {}
        for name in names:
            try:
                results[name] = (self.path / name).read_bytes().decode("utf-8")
            except (FileNotFoundError, UnicodeDecodeError):
                continue
            except OSError as exc:
                raise InputError(f"{self.path / name} can't be read: {exc.strerror}.") from exc
        return results

    def write(self, files: t.Mapping[str, str]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                # Another run may write the same file now.
                mine = f"{os.getpid()}-{threading.get_ident()}"
                partial = self.path / f".{name}.{mine}.partial"
                partial.write_bytes(content.encode("utf-8"))
                partial.replace(self.path / name)
        except OSError as exc:
            raise InputError(f"{self.path} can't be written ({exc.strerror}): correct it.") from exc


INCIDENTS = ("Failed", "Rolled back")
MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def escaped(value: str) -> str:
    """As Markdown shows it literally, on one line. A name behind an @ is no mention where the text is pasted."""
    line = MARKUP.sub(r"\\\1", " ".join(bare(value).split()))
    return re.sub(r"(?<!\w)@", f"@{WORD_JOINER}", line)


def bullets(lines: t.Iterable[str], empty: str = "") -> list[str]:
    return [f"- {escaped(line)}" for line in lines] or [empty]


def sections(parts: t.Iterable[tuple[str, list[str]]]) -> str:
    return "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in parts)


def incident_facts(report: Report, record: Record) -> str:
    """The part that the record can tell."""
    verdict = report.verdict
    causes = (cause.sentence(report.zone) for cause in reversed(causes_of(record)))
    deviations = (deviation.sentence() for deviation in report.deviations)
    return sections(
        (
            ("What happened", [f"**{escaped(verdict.word)}.** {escaped(verdict.sentence)}"]),
            ("When", when(report, record)),
            ("Known impact", bullets(impact(report))),
            ("Cause, as it was recorded", bullets(causes, "No cause is recorded.")),
            ("What was done", bullets(done(record), "No action is recorded.")),
            (f"Deviations from {report.procedure}", bullets(deviations, "Nowhere.")),
        )
    )


def when(report: Report, record: Record) -> list[str]:
    """A table of all moments of the record in UTC, and in local time where that is another."""
    tries = [(row.title, try_) for row in report.phases for try_ in row.tries]
    moments = [
        (parse_time(record.started), f"The release was begun by {record.actor or 'somebody'}."),
        (parse_time(record.finished), f"The release ended: {report.verdict.word.lower()}."),
        *((try_.started, f"{title} began.") for title, try_ in tries),
        *(
            (try_.finished, f"{title}: {try_.status}.")
            for title, try_ in tries
            if try_.status not in (FAILED, ON_HOLD)
        ),
        *((event.at, event.text) for event in report.events),
    ]
    known = sorted(((at, text) for at, text in moments if at), key=lambda moment: moment[0])
    if not known:
        return ["No time is recorded."]
    zones = {known[0][0].astimezone(zone).tzname() or "local": zone for zone in (UTC, report.zone)}
    rows = [[*map(escaped, zones), "what"], ["---"] * (len(zones) + 1)]
    rows += [
        [*(f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" for zone in zones.values()), escaped(text)]
        for at, text in known
    ]
    return [f"| {' | '.join(row)} |" for row in rows]


def impact(report: Report) -> t.Iterator[str]:
    for table in report.tables:
        if table.part in ("services", "tests") and table.standing_out():
            yield f"{table.title}: {table.lead}"
        elif table.part == "metrics":
            for row in table.standing_out():
                yield f"Metric {': '.join(filter(None, (cell.text for cell in row)))}"
    yield "Affected users, and for how long: fill in below."


def done(record: Record) -> t.Iterator[str]:
    yield from filter(None, (phase.evidence.settlement for phase in record.phases.values()))
    for entry in record.facts.services_returned:
        back = f"went back to {entry.after or 'what ran before'}."
        yield f"{entry.name} {f'did not go back: {entry.message}' if entry.message else back}"
    for name, act in record.facts.restored:
        yield f"{name} was restored from {act.backup}. {rights_in_words(act.rights_compared)}"
        if act.rights_given_back:
            yield f"The restore gave rights of {name} back: {listed(act.rights_given_back)}."
    yield from record.notes
    if record.finished:
        yield f"The record was closed at {shown(record.finished)}."


BEGIN = "<!-- facts: begin. Written from the release record; text outside is yours and is kept. -->"
END = "<!-- facts: end -->"

TASKS = """
| what | who | until |
|---|---|---|
|  |  |  |
"""
FOLLOW_UPS = f"""
## Impact on users

How many users noticed, what did they see, from when to when?

## Root cause

Why did it happen, and why was it not seen before the release?

## Follow-ups
{TASKS}
## Who took part

On-call, who decided, who was told and when.
"""

REVIEW = f"""
## Added by people: what went well

## Added by people: what did not

## Added by people: what we change
{TASKS}"""


def notes_of(
    report: Report, record: t.Mapping[str, t.Any], before: t.Mapping[str, str]
) -> dict[str, str]:
    """Content by name; `before` is what the files hold already."""
    title, lessons = f"Lessons learned from {report.title}", report.lessons
    facts = sections((name, bullets(lines, "Nothing is recorded.")) for name, lines in lessons)
    results = {"lessons.md": written(title, facts, REVIEW, before.get("lessons.md"))}
    if report.verdict.word in INCIDENTS:
        known = Record.read(legible(record, LONGEST))
        name, facts = incident_name(known.attempt), incident_facts(report, known)
        results[name] = written(f"Incident: {report.title}", facts, FOLLOW_UPS, before.get(name))
    return results


def incident_name(attempt: int) -> str:
    """Each attempt may have an incident of its own."""
    return f"incident-{attempt}.md" if attempt > 1 else "incident.md"


def written(title: str, facts: str, rest: str, before: str | None) -> str:
    """A file of which the record writes one part and people the rest, which is kept."""
    head, _begin, tail = (before or "").partition(BEGIN)
    _facts, end, stored = tail.partition(END)
    if not end:
        # The file of somebody who took the marks out is theirs as a whole.
        return before or f"# {escaped(title)}\n\n{BEGIN}\n\n{facts}\n\n{END}\n{rest}"
    return f"{head}{BEGIN}\n\n{facts}\n\n{END}{stored}"
