# SPDX-License-Identifier: GPL-3.0-or-later
"""The template of the review after a release, filled in as far as the record can tell."""

from __future__ import annotations

import typing as t

from .._words import counted
from .models import Deviation, Lessons, MetricsTable, PhaseRow, Table


def lessons_of(
    phases: t.Sequence[PhaseRow],
    tables: t.Sequence[Table],
    watches: t.Sequence[MetricsTable],
    deviations: t.Sequence[Deviation],
) -> Lessons:
    in_time = [row for row in phases if row.status == "done" and row.planned and not row.late]
    well = [f"{counted(len(in_time), 'phase')} of {len(phases)} were on time."] if in_time else []
    leads = [
        table.lead
        for table in tables
        if table.lead.startswith("All ") or (table.title == "Backups" and table.rows)
    ]
    leads += [one.lead for one in watches if one.lead.startswith("All ") and not one.fold]
    not_well = [
        f"{row.title} failed: {cause}"
        for row in phases
        for one in row.tries
        for cause in one.causes
    ]
    not_well += [one.sentence() for one in deviations]
    change = [
        f"Why was {row.title} late, and how could it be on time?" for row in phases if row.late
    ]
    change += [
        f"How can we detect what stopped {row.title} before the next release?"
        for row in phases
        if any(one.causes for one in row.tries)
    ]
    if deviations:
        change.append("Which deviations belong in the runbook?")
    return Lessons((*well, *leads), tuple(not_well), tuple(change))
