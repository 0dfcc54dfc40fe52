# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a record: each write with what it changed, bound by a hash to the write before. Pure.

It shows an entry that another hand changed. Who rewrites the hashes too is not seen, but for a report that was signed
before: it has them as they were.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from .._formats import listed
from .models import HISTORY, NEW_PHASE, NEW_RECORD

Json = t.Mapping[str, t.Any]
KINDS: t.Mapping[str, type] = {"at": str, "by": str, "changed": dict, "foreign": list, "hash": str}
"""Of an entry's keys."""
KEPT = 200
"""Writes; older ones become one, for a record has 1 MB for everything."""


def with_history(before: Json, after: Json, by: str, at: str) -> dict[str, t.Any]:
    """The JSON of a record after a write, with this one in its history. `before`: as it was read, {} for none."""
    try:
        history, lost = _history_of(before), []
    except ValueError:
        history, lost = [], [HISTORY]
    known = _last(history)
    entry = {
        "at": at,
        "by": by,
        "changed": _differing(known, _hashes(after)),
        # What somebody else had changed since the write before is told for ever.
        "foreign": sorted(_differing(known, _hashes(before))) if history else lost,
    }
    entry["hash"] = _hash([history[-1]["hash"] if history else "", *entry.values()])
    history = [*history, entry]
    if len(history) > KEPT:
        *old, first = history[: KEPT // 2]
        foreign = sorted({path for each in (*old, first) for path in each["foreign"]})
        begun = {**first, "changed": _last([*old, first]), "foreign": foreign, "older": True}
        history = [begun, *history[KEPT // 2 :]]
    return {**after, HISTORY: history}


def why_untrue(body: Json) -> str:
    """The sentence on a record that is not as it was written; "" for one that is, and for one without a history."""
    try:
        history = _history_of(body)
    except ValueError:
        return "The record's history cannot be read: another hand changed it."
    previous = ""
    for number, entry in enumerate(history, start=1):
        values = [entry[key] for key in KINDS if key != "hash"]
        if not entry.get("older") and entry["hash"] != _hash([previous, *values]):
            return (
                f"Entry {number} of the record's history, of {entry['at']} by {entry['by']}, does not follow from "
                "the one before: another hand changed it."
            )
        previous = entry["hash"]
    for entry in history:
        if entry["foreign"]:
            return f"{_named(entry['foreign'])} before {entry['by']} wrote it at {entry['at']}."
    differing = sorted(_differing(_last(history), _hashes(body))) if history else []
    last = history[-1] if history else {}
    return f"{_named(differing)} since {last['by']} wrote it at {last['at']}." if differing else ""


def _named(paths: t.Sequence[str]) -> str:
    return f"Another hand changed {listed(paths)} of the record"


def _history_of(body: Json) -> list[dict[str, t.Any]]:
    """Raises ValueError for what no run wrote."""
    history = body.get(HISTORY) or []
    if not isinstance(history, list):
        raise ValueError
    for entry in history:
        if not isinstance(entry, dict) or any(
            type(entry.get(k)) is not v for k, v in KINDS.items()
        ):
            raise ValueError
    return history


def _last(history: t.Iterable[Json]) -> dict[str, str]:
    """The hash of each part of the record, as it was written last."""
    known: dict[str, str] = {}
    for entry in history:
        known |= entry["changed"]
    return {path: digest for path, digest in known.items() if digest}


def _differing(before: Json, after: Json) -> dict[str, str]:
    """The hashes of what is not the same, "" for what is gone."""
    return {p: after.get(p, "") for p in {**before, **after} if before.get(p) != after.get(p)}


def _hashes(body: Json) -> dict[str, str]:
    """By path. What a later version adds as a default is not there."""
    return {path: _hash(value)[:32] for path, value in _parts(body)}


def _parts(body: Json) -> t.Iterator[tuple[str, t.Any]]:
    for key, value in body.items():
        if key == HISTORY or value == NEW_RECORD.get(key):
            continue
        if not isinstance(value, dict):
            yield key, value
            continue
        for name, part in value.items():
            if key == "phases":
                yield f"phases.{name}", {k: v for k, v in part.items() if v != NEW_PHASE.get(k)}
            elif key == "facts" and isinstance(part, dict):
                yield from ((f"facts.{name}.{each}", entry) for each, entry in part.items())
            else:
                yield f"{key}.{name}", part


def _hash(value: t.Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
