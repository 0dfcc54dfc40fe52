# SPDX-License-Identifier: GPL-3.0-or-later
"""How the platform stands after a failure, in a line for each part. What could not be read is not known. Pure."""

from __future__ import annotations

import typing as t

from .._release.models import ROLLED_BACK
from .._story.record import Evidence, Record
from .build import service_version
from .lines import versions_told

Fields = t.Mapping[str, t.Any]


def standing(
    record: Fields,
    rollouts: Fields,
    flags: Fields,
    config_map: str,
    parts: t.Mapping[str, str],
    settlement: Fields | None = None,
) -> dict[str, t.Any]:
    """What release_info, rollout_info, feature_flags and the filter wave_outcome returned, each as it is.

    `parts`: by phase, what it brings to the release. Returns `undone`, a sentence, "" where nobody decided about that,
    and `now`, a list of lines.
    """
    kept = Record.read(record.get("record"))
    return {
        "undone": _undone(settlement or {}),
        "now": [
            *_services(rollouts),
            *(f"{part} {_part(kept, phase)}" for phase, part in parts.items()),
            *([f"flags {_flags(record, flags, config_map)}"] if config_map else []),
        ],
    }


def _undone(settlement: Fields) -> str:
    if not settlement:
        return ""
    undone: Fields = settlement.get("undone") or {}
    back = [name for name, how in undone.items() if how != "rollback_failed"]
    stuck = [name for name, how in undone.items() if how == "rollback_failed"]
    stuck += [name for name in settlement.get("not_undone") or () if name not in stuck]
    parts = [f"{', '.join(back)} went back"] if back else []
    parts += [f"{', '.join(stuck)} did not come back: check it now"] if stuck else []
    paused = settlement.get("paused") or ()
    parts += [f"{', '.join(paused)} is paused"] if paused else []
    return "; ".join(parts) or "nothing"


def _services(rollouts: Fields) -> list[str]:
    found = rollouts.get("deployments")
    if not isinstance(found, list):
        return ["services not known"]
    versions = {
        str(one["name"]): service_version(one["name"], one.get("images") or {}) for one in found
    }
    if not versions:
        return []
    told = versions_told(versions)
    unsettled = [str(one["name"]) for one in found if not one.get("complete")]
    paused = [str(one["name"]) for one in found if one.get("paused")]
    more = [f"not complete: {', '.join(unsettled)}"] if unsettled else []
    more += [f"paused: {', '.join(paused)}"] if paused else []
    return [" · ".join([*told, *more])]


def _part(record: Record, name: str) -> str:
    """The record is written before the platform is: a phase that it has not got has not begun."""
    phase = record.phase(name)
    if not record.exists:
        return "not known"
    if not phase.status:
        return "not touched"
    if phase.status == ROLLED_BACK:
        return "rolled back"
    if phase.only_rehearsed:
        return "not touched, the rehearsal failed"
    if not phase.done:
        return f"not known for sure, phase {name} is {phase.status.replace('_', ' ')}"
    return _done(phase.evidence)


def _done(evidence: Evidence) -> str:
    if evidence.migrations:
        applied = sum(len(one.applied) for one in evidence.migrations)
        return f"migrated, {applied} applied" if applied else "migrated, nothing was pending"
    activated = evidence.functions and evidence.functions.activated
    return "of the release" if activated else "of the release, nothing was to change"


def _flags(record: Fields, flags: Fields, config_map: str) -> str:
    now = flags.get("before")
    if not isinstance(now, dict):
        return "not known"
    switch = flags.get("kill_switch") or {}
    if switch:
        return f"held off by the kill switch, set by {switch.get('by')}"
    if not isinstance(record.get("record"), dict):
        return "not known against those before the release"
    # They are pinned before a release may change them.
    pinned = ((record.get("pins") or {}).get("config_maps") or {}).get(config_map) or {}
    before = pinned.get("data")
    if not isinstance(before, dict):
        return "not touched by the release"
    moved = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
    return f"{len(moved)} set by the release" if moved else "as before the release"
