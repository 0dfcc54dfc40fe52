# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as plain text, for a terminal or a mail: what a run prints at its end, on one screen."""

from __future__ import annotations

import typing as t

from ..._formats import shortened
from ..models import Cell, PhaseRow, Report
from ..timeline import took_words

MARKS = {"good": "✓", "warn": "!", "bad": "✕", "calm": "·"}
CLAIM_MARKS = {"good": "✅ ", "bad": "⚠️ ", "warn": "❔ "}
MOST_LINES = 40
LONGEST = 150
"""Characters of a line at most, but for the verdict's own sentence."""
PROBLEMS, DEVIATIONS, MISSING, CAUSES = 2, 5, 3, 2
"""As many lines of each are shown."""
MORE = "in report.html"


def as_text(report: Report) -> str:
    """Of a plan of ten phases at most 40 lines; a longer one shows its phases nevertheless."""
    verdict = report.verdict
    mark = MARKS.get(verdict.tone, "·")
    lines = [
        f"{mark} {verdict.word.upper()}  {report.title}{told_beside(report)}",
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
        "  detail  report.html      back  playbooks/rollback.yml",
    ]
    return "".join(f"{line}\n" for line in lines)


def told_beside(report: Report) -> str:
    known = dict(report.summary)
    shown = [
        known.get("Duration", Cell("")).text,
        f"attempt {known['Attempt'].text}" if "Attempt" in known else "",
        known.get("Commit", Cell("")).text[:12],
        known.get("Released by", Cell("")).text,
    ]
    return "".join(f" · {one}" for one in shown if one)


def phases(rows: t.Sequence[PhaseRow]) -> t.Iterator[str]:
    wide = max((len(row.title) for row in rows), default=0)
    for place, row in enumerate(rows, start=1):
        mark = MARKS.get(row.tone, "·")
        number = f"{place}/{len(rows)}"
        told = f"  {mark} {number:>5} {row.title:<{wide}}  {row.status:<11} {took_words(row)}"
        yield clipped(told.rstrip())
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
