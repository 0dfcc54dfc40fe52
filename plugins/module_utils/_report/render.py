# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A report as a self-contained page, as text, and as JSON. What stands in a record is never taken for HTML."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import asdict

from .._templates import template, trusted
from . import plot
from .models import Cell, Deviation, PhaseRow, Report
from .page.html import MACROS, PAGE, PLOT, TIMELINE
from .page.plain import TEXT
from .page.style import STYLE
from .reader import legible
from .timeline import took_words
from .times import lasting, shown

if t.TYPE_CHECKING:
    import jinja2

MARKS = {"good": "✓", "warn": "!", "bad": "✕", "calm": "·"}
CLAIM_MARKS = {"good": "✅ ", "bad": "⚠️ ", "warn": "❔ "}
PHASE_COLUMNS = ("Phase", "State", "Started", "Finished", "Took", "Planned")
DAY = len("2026-11-24 ")


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
    return page(MACROS + PLOT + TIMELINE + PAGE, autoescape=True).render(
        report=report,
        style=trusted(STYLE),
        marks=MARKS,
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


def as_text(report: Report) -> str:
    return page(TEXT, autoescape=False).render(
        report=report, took=took_words, told=told, claim_marks=CLAIM_MARKS
    )


def parts_of(report: Report) -> list[tuple[str, str]]:
    """What the page can be entered at."""
    found = [("timeline", "Timeline")] if report.timeline else []
    found += [("phases", "Phases"), ("deviations", "Deviations")]
    found += [("metrics", "Metrics")] if any(not one.fold for one in report.watches) else []
    found += [(anchor(table.title), table.title) for table in report.tables if table.rows]
    return [*found, ("way-back", "The way back"), ("lessons", "Lessons learned")]


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def told(phase: PhaseRow) -> list[str]:
    """What a phase tells besides its times: why it failed, now and before, and what no table shows."""
    before = [
        f"Failed before, {shown(one.finished) if one.finished else 'at an unknown time'}: {cause}"
        for one in phase.tries[:-1]
        for cause in one.causes or ("without a cause",)
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


def deviation_cells(one: Deviation) -> tuple[Cell, ...]:
    who, why = (Cell(said) if said else Cell("not recorded", "calm") for said in (one.who, one.why))
    return (Cell(one.what), who, why)


@functools.cache
def page(source: str, *, autoescape: bool) -> jinja2.Template:
    return template(source, autoescape=autoescape, anchor=anchor, deviation_row=deviation_cells)
