# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a release stands now, in a word and a sentence: from its record, the deploy lock and the kill switch. Pure."""

from __future__ import annotations

import typing as t

from .failure import is_held
from .models import DONE, FAILED, ROLLED_BACK, RUNNING, SETTLED

Body = t.Mapping[str, t.Any]

KILLED, IN_PROGRESS, NONE, INTERRUPTED, ON_HOLD, STOPPED, BACK, FINE, UNFINISHED = (
    "KILLED",
    "RUNNING",
    "NO RELEASE",
    "INTERRUPTED",
    "ON HOLD",
    "FAILED",
    "ROLLED BACK",
    "FINE",
    "NOT FINISHED",
)


def verdict(record: Body, lock: Body, killed: str, plan: t.Sequence[str]) -> tuple[str, str]:
    """`lock`: as deploy_lock_info returns it. `killed`: who set the kill switch, "" for nobody. `plan`: all phases."""
    phases = dict(in_order(record, plan))
    running = [name for name, one in phases.items() if one.get("status") == RUNNING]
    if lock.get("held"):
        where = f"{_place(running[-1], phases, plan)}, " if running else ""
        return IN_PROGRESS, f"{where}by {lock.get('holder')}"
    if killed:
        return KILLED, killed
    if not record:
        return NONE, "no release is recorded"
    version = f"release {record.get('version')}"
    if record.get("status") == ROLLED_BACK:
        return BACK, f"{version} at {record.get('finished')}"
    failed = [name for name, one in phases.items() if one.get("status") == FAILED]
    if running:
        return (
            INTERRUPTED,
            f"{version} in {_place(running[-1], phases, plan)}; nobody holds the deploy lock",
        )
    if failed:
        causes = [one for one in _failures(phases[failed[-1]]) if isinstance(one, dict)]
        word = ON_HOLD if is_held(phases[failed[-1]].get("evidence")) else STOPPED
        why = f": {causes[0].get('message')}" if causes else ""
        return word, f"{version} in {_place(failed[-1], phases, plan)}{why}"
    if record.get("status") == DONE:
        return FINE, f"{version} is done since {record.get('finished')}"
    left = [name for name in plan if phases.get(name, {}).get("status") not in SETTLED]
    return UNFINISHED, f"{version}: {', '.join(left)} {'is' if len(left) == 1 else 'are'} left"


def in_order(record: Body, plan: t.Sequence[str]) -> list[tuple[str, Body]]:
    """The phases of the record as the plan orders them; those that it has not got come last, by their beginning."""
    found = record.get("phases") or {}
    rest = sorted(
        (name for name in found if name not in plan), key=lambda name: found[name]["started"]
    )
    return [(name, found[name]) for name in (*plan, *rest) if name in found]


def _place(name: str, phases: t.Mapping[str, Body], plan: t.Sequence[str]) -> str:
    number = f" ({plan.index(name) + 1} of {len(plan)})" if name in plan else ""
    return f"{name}{number} since {phases[name].get('started')}"


def _failures(phase: Body) -> t.Iterable[t.Any]:
    failures = (phase.get("evidence") or {}).get("failures")
    return failures.values() if isinstance(failures, dict) else ()
