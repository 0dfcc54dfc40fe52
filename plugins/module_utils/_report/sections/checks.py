# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What was tested: the smoke tests, the checklist before the release, and traffic during it."""

from __future__ import annotations

import typing as t

from ..._words import counted
from ..models import Cell, Table
from ..reader import Reader, text
from ..times import took
from .words import judged, share

OTHER = "Others"
NOT_APPLICABLE = "skipped"
"""Of a line of the checklist."""


def checks(reader: Reader) -> Table:
    """What smoke_tests, person_check and health_check return as `results`."""
    rows = [
        (
            Cell(name),
            judged(one.get("status")),
            Cell(text(one.get("detail"))),
            Cell(took(one.get("seconds"))),
        )
        for name, one in reader.entries("checks")
    ]
    columns = ("Test", "Result", "Seen", "Took")
    return Table(
        "Tests", columns, tuple(rows), "No test is recorded.", passed(rows, "tests"), part="tests"
    )


def checklist(reader: Reader) -> tuple[Table, ...]:
    """A table for each section of the runbook's checklist, a row for each check; none when none is recorded."""
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for name, one in reader.named("preflight", reader.evidence("preflight").get("preflight")):
        section, divided, line = text(one.get("item")).partition(": ")
        row = (
            Cell(line if divided else section or name),
            judged(one.get("status")),
            Cell(name if one.get("item") else ""),
            Cell(text(one.get("detail"))),
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


def traffic(reader: Reader) -> Table | None:
    """Requests that were counted while the release went on; left out when nobody counted."""
    found = reader.section("traffic")
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
