# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tested: the smoke tests, the checklist before the release, and traffic during it."""

from __future__ import annotations

import typing as t

from ..._story.decode import text
from ..._story.record import Record
from ..._words import counted
from ..models import Cell, Table
from ..times import took
from .words import judged, share

OTHER = "Others"
NOT_APPLICABLE = "skipped"
"""Of a line of the checklist."""


def checks(record: Record) -> Table:
    """What smoke_tests, person_check and health_check return as `results`."""
    rows = [
        (Cell(one.name), judged(one.status), Cell(one.detail), Cell(took(one.seconds)))
        for one in record.section("checks")
    ]
    columns = ("Test", "Result", "Seen", "Took")
    return Table(
        "Tests", columns, tuple(rows), "No test is recorded.", passed(rows, "tests"), part="tests"
    )


def checklist(record: Record) -> tuple[Table, ...]:
    """A table for each section of the runbook's checklist, a row for each check; none when none is recorded."""
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for one in record.evidence("preflight").preflight:
        section, divided, line = one.item.partition(": ")
        row = (
            Cell(line if divided else section or one.name),
            judged(one.status),
            Cell(one.name if one.item else ""),
            Cell(one.detail),
        )
        sections.setdefault(section if divided else OTHER, []).append(row)
    columns = ("Item", "Result", "Proven by", "Seen")
    return tuple(
        Table(title, columns, tuple(rows), "", passed(rows, "checks"), fold=True, part="checklist")
        for title, rows in sorted(sections.items(), key=lambda one: (one[0] == OTHER, one[0]))
    )


def passed(rows: t.Sequence[tuple[Cell, ...]], what: str) -> str:
    """Of what applies. What does not is named."""
    away = [row[0].text for row in rows if row[1].text == NOT_APPLICABLE]
    bad = [row[0].text for row in rows if row[1].tone != "good" and row[1].text != NOT_APPLICABLE]
    rest = f"not {', '.join(bad[:5])}{' and more' if len(bad) > 5 else ''}"
    applies = len(rows) - len(away)
    told = share(applies - len(bad), applies, f"{what} passed", rest)
    named = ", ".join(dict.fromkeys(away))
    return f"{told} {counted(len(away), 'other')} do not apply: {named}." if away else told


def traffic(record: Record) -> Table | None:
    """Requests that were counted while the release went on; left out when nobody counted."""
    found = record.section("traffic")
    if not isinstance(found, dict):
        return None
    rows = tuple(
        (
            Cell(name.replace("_", " ")),
            Cell(text(value), "bad" if name == "failed" and value else ""),
        )
        for name, value in found.items()
        if not isinstance(value, (dict, list))
    )
    return Table("Traffic during the release", ("What", "Count"), rows, "Nothing was counted.")
