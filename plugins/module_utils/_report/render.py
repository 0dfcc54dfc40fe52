# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a self-contained page, as text, and as JSON. What stands in a record is never taken for HTML."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import asdict, replace

from .._formats import lasting, legible, shortened, shown
from .._templates import template, trusted
from . import plot
from .models import Cell, PhaseRow, Report, Table
from .page.html import LIVE, MACROS, PAGE, PLOT, TIMELINE
from .page.style import SCRIPT, SCRIPT_HASH, STYLE
from .timeline import took_words

if t.TYPE_CHECKING:
    import jinja2

MARKS = {"good": "✓", "warn": "!", "bad": "✕", "calm": "·"}
PHASE_COLUMNS = ("Phase", "State", "Started", "Finished", "Took", "Planned")
DAY = len("2026-11-24 ")
PARTS = (
    ("now", "State now"),
    ("deviations", "Deviations"),
    ("timeline", "Timeline"),
    ("services", "Services"),
    ("metrics", "Metrics"),
    ("tests", "Tests"),
    ("checklist", "Checklist"),
    ("evidence", "Evidence"),
    ("way-back", "The way back"),
    ("lessons", "Lessons learned"),
)
"""What the page can be entered at, in the order of its parts."""
CLAIM_MARKS = {"good": "✅ ", "bad": "⚠️ ", "warn": "❔ "}
LONGEST = 150
"""Characters of a line at most, but for the verdict's own sentence."""
PROBLEMS, DEVIATIONS, MISSING, CAUSES = 2, 5, 3, 2
"""As many lines of each are shown."""
MORE = "in report.html"


def files_of(report: Report, record: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The files of a report, content by name."""
    return {
        "report.html": as_html(report),
        "report.txt": as_text(report),
        "report.json": json.dumps(
            {"report": asdict(report), "record": legible(record)},
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )
        + "\n",
    }


def as_html(report: Report) -> str:
    return page(MACROS + PLOT + TIMELINE + LIVE + PAGE).render(
        report=report,
        style=trusted(STYLE),
        script=trusted(SCRIPT),
        script_hash=SCRIPT_HASH,
        marks=MARKS,
        events=event_cells(report),
        checklist=[table for table in report.tables if table.part == "checklist"],
        evidence=evidence_of(report),
        folded=[watch for watch in report.watches if watch.fold],
        parts=parts_of(report),
        details=details,
        phase_columns=PHASE_COLUMNS,
        phase_rows=phase_cells(report.phases),
        width=plot.WIDTH,
        height=plot.HEIGHT,
        left=plot.LEFT,
        right=plot.RIGHT,
        top=plot.TOP,
        bottom=plot.BOTTOM,
    )


def parts_of(report: Report) -> list[tuple[str, str]]:
    parts = {table.part for table in report.tables if table.rows}
    there = {
        "now": bool(report.claims or report.summary),
        "services": "services" in parts,
        "metrics": any(not watch.fold for watch in report.watches),
        "tests": "tests" in parts,
        "checklist": "checklist" in parts,
        "evidence": bool(evidence_of(report)),
        "lessons": report.live is None,
    }
    return [(key, title) for key, title in PARTS if there.get(key, True)]


def evidence_of(report: Report) -> list[Table]:
    """Of each its sentence and what stands out; the rest is folded, with digests and checksums."""
    tables = [
        table for table in report.tables if table.part == "evidence" and (table.rows or table.lead)
    ]
    return [replace(table, fold=True) for table in tables]


def event_cells(report: Report) -> list[tuple[str, Cell]]:
    """In the release's zone; with the day where there are several."""
    times = [event.at.astimezone(report.zone) for event in report.events]
    form = "%d %b %H:%M:%S" if len({time.date() for time in times}) > 1 else "%H:%M:%S"
    return [
        (f"{at:{form}}", Cell(event.text, event.tone))
        for at, event in zip(times, report.events, strict=True)
    ]


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def details(phase: PhaseRow) -> list[str]:
    """What a phase tells besides its times: why it failed, now and before, and what no table shows."""
    before = [
        f"Failed before, {shown(try_.finished) if try_.finished else 'at an unknown time'}: {cause}"
        for try_ in phase.tries[:-1]
        for cause in try_.causes or ("without a cause",)
    ]
    return [*phase.causes, *phase.evidence, *before]


def phase_cells(phases: t.Sequence[PhaseRow]) -> list[tuple[Cell, ...]]:
    """The date stands above already, unless a phase was on another day."""
    times = [time for row in phases for time in (row.started, row.finished) if time]
    days = {time[:DAY] for time in times}
    cut = DAY if len(days) == 1 and all(time[:4].isdigit() for time in times) else 0
    return [
        (
            Cell(row.title),
            Cell(row.status, row.tone),
            Cell(row.started[cut:]),
            Cell(row.finished[cut:]),
            Cell(
                lasting(row.actual) + (f" ({row.over} late)" if row.late else ""),
                "warn" if row.late else "",
            ),
            Cell(lasting(row.planned) if row.planned else ""),
        )
        for row in phases
    ]


@functools.cache
def page(source: str) -> jinja2.Template:
    return template(source, autoescape=True, anchor=anchor)


def as_text(report: Report) -> str:
    """Of a plan of ten phases at most 40 lines; a longer one shows its phases nevertheless."""
    verdict = report.verdict
    mark = MARKS.get(verdict.tone, "·")
    lines = [
        f"{mark} {verdict.word.upper()}  {report.title}{beside(report)}",
        f"  {verdict.sentence}",
        *few("Problems of the record", report.problems, PROBLEMS),
        "",
        *(clipped(f"  {name}: {cell.text}") for name, cell in report.now),
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


def beside(report: Report) -> str:
    known = dict(report.summary)
    shown = [
        known.get("Duration", Cell("")).text,
        f"attempt {known['Attempt'].text}" if "Attempt" in known else "",
        known.get("Commit", Cell("")).text[:12],
        known.get("Released by", Cell("")).text,
    ]
    return "".join(f" · {entry}" for entry in shown if entry)


def phases(rows: t.Sequence[PhaseRow]) -> t.Iterator[str]:
    wide = max((len(row.title) for row in rows), default=0)
    for place, row in enumerate(rows, start=1):
        mark = MARKS.get(row.tone, "·")
        number = f"{place}/{len(rows)}"
        text = f"  {mark} {number:>5} {row.title:<{wide}}  {row.status:<11} {took_words(row)}"
        yield clipped(text.rstrip())
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
