# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a self-contained page, as text, and as JSON. What stands in a record is never taken for HTML."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import asdict
from datetime import datetime, tzinfo

from .._formats import legible, shortened
from .._templates import template, trusted
from . import models, page
from .models import Cell, PhaseRow, Report, table
from .phases import took_words

if t.TYPE_CHECKING:
    import jinja2

MARKS = {"good": "✓", "warn": "!", "bad": "✕", "calm": "·"}
PHASE_COLUMNS = ("Phase", "State", "Started", "Finished", "Took", "Details")
CLAIM_MARKS = {"good": "✅ ", "bad": "⚠️ ", "warn": "❔ "}
LONGEST = 150
"""Characters of a line at most, but for the verdict's own sentence."""
PROBLEMS, DEVIATIONS, MISSING, CAUSES = 2, 5, 3, 2
"""As many lines of each are shown."""
MORE = "in report.html"


def files_of(report: Report, record: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The files of a report, content by name."""
    data = {"report": asdict(report), "record": legible(record)}
    text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return {
        "report.html": as_html(report),
        "report.txt": as_text(report),
        "report.json": f"{text}\n",
    }


def as_html(report: Report) -> str:
    return page_template().render(
        report=report,
        style=trusted(page.STYLE),
        script=trusted(page.SCRIPT),
        script_hash=page.SCRIPT_HASH,
        marks=MARKS,
        area=models,
        moment=functools.partial(moment, zone=report.zone),
        phase_table=table(
            "Phases", PHASE_COLUMNS, (phase_cells(row, report.zone) for row in report.phases)
        ),
    )


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


HEADING = re.compile(r'<h2 id="([a-z-]+)">([^<]+)</h2>')
"""What the page can be entered at."""


def details(phase: PhaseRow) -> list[str]:
    """What a phase tells besides its times: why it failed, and what no table shows. Earlier failures are events."""
    return [*phase.causes, *phase.evidence]


def moment(value: datetime | None, zone: tzinfo) -> str:
    """By the clock of the release, "" for none."""
    return f"{value.astimezone(zone):%d %b %H:%M:%S}" if value else ""


def phase_cells(row: PhaseRow, zone: tzinfo) -> tuple[Cell, ...]:
    took = Cell(took_words(row), "warn" if row.late else "")
    last = row.tries[-1:]
    begun = "".join(moment(entry.started, zone) for entry in last)
    ended = "".join(moment(entry.finished, zone) for entry in last)
    times = (Cell(begun), Cell(ended), took)
    return Cell(row.title), Cell(row.status, row.tone), *times, Cell(" ".join(details(row)))


@functools.cache
def page_template() -> jinja2.Template:
    return template(page.PAGE, anchor=anchor, headings=HEADING.findall)


def as_text(report: Report) -> str:
    """Of a plan of ten phases at most 40 lines; a longer one shows its phases nevertheless."""
    verdict, known = report.verdict, dict(report.summary)
    beside = (("Duration", ""), ("Attempt", "attempt "), ("Commit", ""), ("Begun by", ""))
    shown_beside = [f"{word}{known[name].text}" for name, word in beside if name in known]
    head = " · ".join([report.title, *shown_beside])
    lines = [
        f"{MARKS.get(verdict.tone, '·')} {verdict.word.upper()}  {head}",
        f"  {verdict.sentence}",
        *few("Problems of the record", report.problems, PROBLEMS),
        "",
        *(
            clipped(f"- {name}: {CLAIM_MARKS.get(cell.tone, '')}{cell.text}")
            for name, cell in report.claims
        ),
        "",
        *phases(report.phases),
        "",
        *few("Deviations", [deviation.sentence() for deviation in report.deviations], DEVIATIONS),
        *few("Missing", report.missing, MISSING),
        "  detail  report.html      next  playbooks/status.yml",
    ]
    return "".join(f"{line}\n" for line in lines)


def phases(rows: t.Sequence[PhaseRow]) -> t.Iterator[str]:
    wide = max((len(row.title) for row in rows), default=0)
    for place, row in enumerate(rows, start=1):
        number = f"{place}/{len(rows)}"
        text = f"{number:>5} {row.title:<{wide}}  {row.status:<11} {took_words(row)}"
        yield clipped(f"  {MARKS.get(row.tone, '·')} {text}".rstrip())
        if row.status in ("failed", "on hold"):
            yield from (clipped(f"          {cause}") for cause in row.causes[:CAUSES])


def few(title: str, lines: t.Sequence[str], most: int) -> t.Iterator[str]:
    if not lines:
        return
    rest = f", {len(lines) - most} of them {MORE}" if len(lines) > most else ""
    yield f"  {title}: {len(lines)}{rest}"
    yield from (clipped(f"  - {line}") for line in lines[:most])


def clipped(line: str) -> str:
    return shortened(line, LONGEST)
