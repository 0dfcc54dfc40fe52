# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of smoke tests mean together, and how they are worded."""

from __future__ import annotations

import typing as t

PROCEED, HOLD, ROLLBACK = "proceed", "hold", "rollback"

WORDS = {
    "pass": "✅ {name}: PASS",
    "fail": "❌ {name}: FAIL",
    "hold": "⏸️ {name}: HOLD",
    "skip": "⏭️ {name}: SKIPPED",
    "planned": "🔎 {name}: PLANNED",
}

Row = t.Mapping[str, t.Any]


def verdict(results: t.Iterable[Row]) -> str:
    """A failed test calls for the way back; what nobody can tell holds."""
    statuses = {result["status"] for result in results}
    if "fail" in statuses:
        return ROLLBACK
    return HOLD if "hold" in statuses else PROCEED


def line(result: Row) -> str:
    """One line, as the runbook words it: "✅ Agent routing: PASS (1% traffic)"."""
    seconds = result.get("seconds")
    took = f"{seconds:.2f} s" if isinstance(seconds, (int, float)) and seconds else ""
    seen = "; ".join(part for part in (str(result.get("detail") or ""), took) if part)
    head = WORDS.get(str(result.get("status", "pass")), WORDS["hold"]).format(name=result["name"])
    return f"{head} ({seen})" if seen else head


def sentence(results: t.Sequence[Row]) -> str:
    """Every test that failed or holds, for the failure of a task."""
    parts = []
    for status, words in (("fail", "failed"), ("hold", "are unclear")):
        found = [one for one in results if one["status"] == status]
        if found:
            listed = " ".join(f"{one['name']}: {_ended(str(one['detail']))}" for one in found)
            parts.append(f"{len(found)} of {len(results)} smoke tests {words}. {listed}")
    return " ".join(parts)


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
