# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the checks of a preflight, and judge their rows together: waivers, one sentence of all problems, the verdict."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

from .._errors import HoldError, InputError, NotReadyError, NotReadyToReleaseError, UnreachableError
from .._release.order import Waiver
from .._release.plan import merge
from .._user import decided_by
from .._variable_check import placeholders
from . import models
from .models import (
    FAIL,
    HOLD,
    PASS,
    SKIPPED,
    STOPPING,
    WAIVED,
    Check,
    Finding,
    Ground,
    Kinds,
    Row,
    skipped,
)

GO, STOP = "go", "stop"
SIGNS = {PASS: "✅", FAIL: "❌", HOLD: "⏸️", SKIPPED: "⏭️", WAIVED: "☑️"}
OF_THE_DAY = frozenset({"launch_window", "sign_offs"})
"""Kinds that a rehearsal tells of and does not stop at: it may be made at any hour and before anybody has signed."""
OF_MESSAGES = frozenset({"slack", "pagerduty"})
"""Kinds that look at how people are told. What is released runs without them."""


def run_preflight(
    checks: t.Sequence[Check], kinds: Kinds, ground: Ground, *, report: t.Callable[[Row], None]
) -> list[Row]:
    """The rows in the order of the checks. `report` hears of each as it ends."""
    return models.run_checks(
        checks,
        lambda check: _unmet(check) or kinds[check.kind].look(check.options, ground),
        lambda problem: models.error_finding(problem, UnreachableError, NotReadyError),
        report=report,
    )


def _unmet(check: Check) -> list[Finding]:
    """Why it is not looked at. What is missing is a problem of its own, told elsewhere and once."""
    if check.unless:
        return [skipped(check.unless)]
    missing = [name for name, value in check.needs.items() if not str(value or "").strip()]
    if missing:
        return [skipped(f"not known from here: {', '.join(missing)} has no value")]
    left = list(placeholders(check.kind, check.options))
    if left:
        return [skipped(f"not known before {', '.join(left)} is filled in")]
    return []


def read_waivers(given: t.Mapping[str, t.Any]) -> dict[str, Waiver]:
    waivers = {}
    for name, entry in given.items():
        strange = set(entry) - {"by", "reason"} if isinstance(entry, dict) else set()
        by, reason = decided_by(entry)
        if strange or not by or not reason:
            raise InputError(
                f"The waiver of {name!r} is {entry!r}: add 'by', the person's name, and 'reason'."
            )
        waivers[str(name)] = Waiver(by, reason)
    return waivers


def waive(rows: t.Sequence[Row], waivers: t.Mapping[str, Waiver]) -> list[Row]:
    """What is well needs no waiver; one that nothing is called by is a problem of its own."""
    names = {row.name for row in rows}
    waived = [
        replace(row, status=WAIVED, detail=_waived(row, waivers[row.name]))
        if row.status in STOPPING and row.name in waivers
        else row
        for row in rows
    ]
    strange = sorted(set(waivers) - names)
    if strange:
        detail = f"no row is called {', '.join(strange)}; there are {', '.join(sorted(names))}"
        waived.append(Row("waivers", "", "waivers", FAIL, detail, 0.0))
    return waived


def _waived(row: Row, waiver: Waiver) -> str:
    return f"waived by {waiver.by}, because: {waiver.reason} (was {row.status}: {row.detail})"


def overrides(
    before: t.Sequence[Row],
    after: t.Sequence[Row],
    waivers: t.Mapping[str, Waiver],
    known: t.Mapping[str, t.Any],
    at: str,
) -> dict[str, t.Any]:
    """What the record keeps of the waivers that were used."""
    return {
        was.name: waivers[was.name].to_override(
            f"{was.item or was.name}: {was.detail}", known.get(was.name), at
        )
        for was, now in zip(before, after, strict=False)
        if was.status in STOPPING and now.status == WAIVED
    }


def gather_facts(facts: t.Iterable[t.Mapping[str, t.Any] | None]) -> dict[str, t.Any]:
    gathered: dict[str, t.Any] = {}
    for fact in facts:
        gathered = merge(gathered, fact or {})
    return gathered


def stopping(rows: t.Sequence[Row], *, check_mode: bool) -> list[Row]:
    return [
        row
        for row in rows
        if row.status in STOPPING and not (check_mode and row.kind in OF_THE_DAY)
    ]


def verdict_of(stops: t.Sequence[Row]) -> str:
    """V(hold) where nothing stands against the release and something cannot be told."""
    if any(row.status == FAIL for row in stops):
        return STOP
    return HOLD if stops else GO


def sentence(rows: t.Sequence[Row], *, check_mode: bool) -> str:
    """Every problem, the definite ones first, and how to go without messages. Empty when there is none."""
    parts = []
    for status, words in ((FAIL, "failed"), (HOLD, "have no answer")):
        results = [row for row in rows if row.status == status]
        if results:
            listed = " ".join(f"({n}) {_worded(row)}" for n, row in enumerate(results, 1))
            parts.append(f"{len(results)} of {len(rows)} checks {words}: {listed}")
    stops = stopping(rows, check_mode=check_mode)
    if verdict_of(stops) == HOLD and all(row.kind in OF_MESSAGES for row in stops):
        parts.append(_without_messages(stops))
    return " ".join(parts)


def _without_messages(stops: t.Sequence[Row]) -> str:
    waiver = {"by": "your name", "reason": "why"}
    waivers = json.dumps({"release_waivers": {row.name: waiver for row in stops}})
    return (
        "Only messages depend on that: to release without them, run it again with -e "
        f"'{waivers}'; it is recorded."
    )


def _worded(row: Row) -> str:
    text = f"{row.name}: {row.detail}"
    return text if text.endswith((".", "!", "?")) else f"{text}."


def line(row: Row) -> str:
    """One line, as those of the smoke tests."""
    return f"{SIGNS[row.status]} {row.name}: {row.status.upper()} ({row.detail})"


def conclude(
    rows: t.Sequence[Row], facts: t.Mapping[str, t.Any], *, check_mode: bool, fail: bool
) -> dict[str, t.Any]:
    """The result of the task; raises when something stops the release and the task is to fail then."""
    verdict = verdict_of(stopping(rows, check_mode=check_mode))
    text = sentence(rows, check_mode=check_mode)
    result: dict[str, t.Any] = {
        "verdict": verdict,
        "results": [row.to_result("item") for row in rows],
        "lines": [line(row) for row in rows],
        "facts": dict(facts),
    }
    if fail and verdict != GO:
        error = HoldError if verdict == HOLD else NotReadyToReleaseError
        raise error(text, **result)
    return {"changed": False, "sentence": text, **result}
