# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a self-contained page, as text, and as JSON. What stands in a record is never taken for HTML."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import asdict, replace

from .._formats import lasting, legible, shown
from .._templates import template, trusted
from . import plot
from .models import Cell, PhaseRow, Report, Table
from .page.html import LIVE, MACROS, PAGE, PLOT, TIMELINE
from .page.plain import as_text
from .page.script import SCRIPT, SCRIPT_HASH
from .page.style import STYLE

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
        told=told,
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
    found = [one for one in report.tables if one.part == "evidence" and (one.rows or one.lead)]
    return [replace(one, fold=True) for one in found]


def event_cells(report: Report) -> list[tuple[str, Cell]]:
    """In the release's zone; with the day where there are several."""
    times = [event.at.astimezone(report.zone) for event in report.events]
    form = "%d %b %H:%M:%S" if len({time.date() for time in times}) > 1 else "%H:%M:%S"
    return [
        (f"{at:{form}}", Cell(one.said, one.tone))
        for at, one in zip(times, report.events, strict=True)
    ]


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def told(phase: PhaseRow) -> list[str]:
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
            Cell(lasting(row.actual) + late_by(row), "warn" if row.late else ""),
            Cell(lasting(row.planned) if row.planned else ""),
        )
        for row in phases
    ]


def late_by(row: PhaseRow) -> str:
    if not row.late or not row.actual:
        return ""
    return f" ({round(100 * (row.actual / row.planned - 1))} % late)"


@functools.cache
def page(source: str) -> jinja2.Template:
    return template(source, autoescape=True, anchor=anchor)
