# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of backups, rehearsals, migrations and restores."""

from __future__ import annotations

import typing as t

from ..._report.times import size
from ..._story.record import Rehearsal
from ..._words import counted
from ..models import Fact, Group


def backups(group: Group) -> list[Fact]:
    """A backup is in a result only when it was read back from where it lies."""
    if group.would:
        names = [item.name for item in group.items if item.changed and not item.failed]
        return [Fact("backups", f"would back up {', '.join(names)}", "calm")] if names else []
    made = [item.result["backup"] for item in group.items if item.result.get("backup")]
    told = [f"{one['name']} {size(one.get('size'))}" for one in made]
    kept = "" if any(item.changed for item in group.items) else ", taken before"
    return [Fact("backups", f"{' · '.join(told)}, read back{kept}")] if told else []


def migrations(group: Group) -> list[Fact]:
    settled = [
        (item.name, item.result["resolved"]) for item in group.items if "resolved" in item.result
    ]
    if any("history" in item.result for item in group.items):
        return []
    if settled:
        told = " · ".join(f"{name} {', '.join(names) or 'nothing'}" for name, names in settled)
        return [
            Fact("would", f"resolve: {told}", "calm") if group.would else Fact("resolved", told)
        ]
    if group.would:
        return pending(group)
    done = [(item.name, len(item.result.get("applied") or ())) for item in group.items]
    if any(number for _name, number in done):
        return [
            Fact("applied", " · ".join(f"{name} {counted(n, 'migration')}" for name, n in done))
        ]
    good = [item.name for item in group.items if not item.failed]
    return [Fact("applied", f"{', '.join(good)}: nothing is pending")] if good else []


def pending(group: Group) -> list[Fact]:
    told = [
        f"{item.name} {counted(len(item.result.get('pending') or ()), 'migration')}"
        for item in group.items
        if not item.failed
    ]
    return [Fact("would", f"apply: {' · '.join(told)}", "calm")] if told else []


def rehearsals(found: t.Sequence[Rehearsal]) -> list[Fact]:
    """By database, as the record has them."""
    facts = []
    for one in found:
        number = counted(len(one.pending), "migration")
        if one.status == "passed":
            facts.append(Fact("rehearsed", f"{one.name}: {number} on its restored backup"))
        elif one.status == "waived":
            why = f"{one.waiver} (by {one.waived_by})"
            facts.append(Fact("rehearsed", f"{one.name}: waived, {why}", "warn"))
    return facts


def restores(group: Group) -> list[Fact]:
    """The rehearsal's scratch database is no restore."""
    told = [
        f"{(item.result.get('backup') or {}).get('name') or item.name} from "
        f"{(item.result.get('backup') or {}).get('finished')}"
        for item in group.items
        if item.result.get("method") != "scratch" and item.result.get("backup")
    ]
    if not told:
        return []
    if group.would:
        return [Fact("would", f"restore {' · '.join(told)}", "calm")]
    return [Fact("restored", " · ".join(told))]
