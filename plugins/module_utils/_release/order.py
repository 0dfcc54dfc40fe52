# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide whether a phase may begin: every phase before it is done in this attempt, or a person waived it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .._errors import ConflictError, InputError
from .models import DONE, FAILED, PARTLY, ROLLED_BACK, RUNNING, SETTLED, Record

STATES = {
    RUNNING: "is not finished",
    FAILED: "failed",
    ROLLED_BACK: "was taken back",
    PARTLY: "was partly rolled back",
}
NEVER = "was not begun"
UNFINISHED = frozenset({RUNNING, FAILED})


class OutOfOrderError(ConflictError):
    """The phase was not begun; the record is as it was."""

    reason = "OutOfOrder"


@dataclass(frozen=True)
class Waiver:
    by: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"by": self.by, "reason": self.reason}


@dataclass(frozen=True)
class PhaseOrder:
    """`phases`: all names, in order. `passed`: those before this one in a run that records nothing (check mode)."""

    phases: tuple[str, ...] = ()
    waivers: t.Mapping[str, Waiver] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()
    supersedes: t.Mapping[str, Waiver] = field(default_factory=dict)
    """Unfinished releases, by version, beside which this one may begin."""


def read_waivers(option: str, given: t.Mapping[str, t.Any]) -> dict[str, Waiver]:
    waivers = {}
    for name, one in given.items():
        said = one if isinstance(one, dict) else {}
        by, reason = (str(said.get(key) or "").strip() for key in ("by", "reason"))
        if not by or not reason:
            raise InputError(
                f"'{option}' must say for {name!r} who decided it and why: "
                f"""-e '{json.dumps({option: {name: {"by": "your name", "reason": "why"}}})}'."""
            )
        waivers[str(name)] = Waiver(by, reason)
    return waivers


def read_order(given: t.Mapping[str, t.Any]) -> PhaseOrder:
    """From the option `order` of the module release."""
    return PhaseOrder(
        phases=tuple(given.get("phases") or ()),
        waivers=read_waivers("release_phases_waived", given.get("waived") or {}),
        passed=frozenset(given.get("passed") or ()),
        supersedes=read_waivers("release_supersedes", given.get("supersedes") or {}),
    )


def missing_phases(record: Record | None, phase: str, order: PhaseOrder) -> dict[str, str]:
    """The phases that must still be done before `phase` may begin, in order, each with its state in words."""
    if phase not in order.phases:
        return {}
    before = order.phases[: order.phases.index(phase)]
    known = record.phases if record else {}
    statuses = {name: known[name].status if name in known else "" for name in before}
    return {
        name: STATES.get(status, NEVER)
        for name, status in statuses.items()
        if status not in SETTLED and name not in order.passed
    }


def waived_now(record: Record | None, phase: str, order: PhaseOrder) -> dict[str, Waiver]:
    """The waivers that this opening uses up. Raises OutOfOrderError for a phase that neither is done nor waived."""
    unknown = [name for name in order.waivers if name not in order.phases]
    if order.phases and unknown:
        raise InputError(
            f"There is no phase {unknown[0]!r} to waive: the phases are {', '.join(order.phases)}."
        )
    missing = missing_phases(record, phase, order)
    refused = {name: state for name, state in missing.items() if name not in order.waivers}
    if refused:
        first = next(iter(refused))
        states = ", ".join(f"{name} {state}" for name, state in refused.items())
        example = json.dumps(
            {"release_phases_waived": {first: {"by": "your name", "reason": "why"}}}
        )
        raise OutOfOrderError(
            f"Phase {phase} cannot begin: {states}. Run --tags {','.join([*refused, phase])}, or waive a phase "
            f"by name: -e '{example}'.",
            missing_phases=list(refused),
        )
    return {name: order.waivers[name] for name in missing}


def superseded(version: str, others: t.Iterable[Record], order: PhaseOrder) -> dict[str, Waiver]:
    """The unfinished releases that a person lets this one begin beside. Raises OutOfOrderError for any other."""
    allowed = {}
    for other in others:
        if other.version == version or other.status not in UNFINISHED or not _changed(other, order):
            continue
        if other.version not in order.supersedes:
            raise OutOfOrderError(
                f"Release {version} cannot begin: release {other.version} is {other.status} since {other.started}, "
                "and a rollback would return to it half done. Finish it or roll it back "
                f"(playbooks/rollback.yml -e release_version={other.version}), or go on by name: {_by_name(other)}.",
                unfinished=other.version,
            )
        allowed[other.version] = order.supersedes[other.version]
    return allowed


def refuse_below_later(
    version: str, record: Record | None, others: t.Iterable[Record], order: PhaseOrder
) -> None:
    """Raise OutOfOrderError when a release stands that began after this one and that no person let stand.

    Of a release that changed nothing here, every other one is later.
    """
    standing = [
        one
        for one in others
        if one.status in (*UNFINISHED, DONE)
        and _changed(one, order)
        and one.version not in order.supersedes
    ]
    later = max(standing, key=_began, default=None)
    changed = record is not None and _changed(record, order)
    if later is None or (record is not None and changed and _began(later) < _began(record)):
        return
    why = "began after it" if changed else "stands, and it changed nothing here itself"
    raise OutOfOrderError(
        f"Release {version} cannot go back: release {later.version}, which is {later.status}, {why}. What "
        "that one set would be lost. Roll that one back "
        f"(playbooks/rollback.yml -e release_version={later.version}), switch the feature off alone "
        f"(playbooks/kill_switch.yml), or go on by name: {_by_name(later)}.",
        later=later.version,
    )


def _by_name(other: Record) -> str:
    """The words that let this release go on past another."""
    given = {"release_supersedes": {other.version: {"by": "your name", "reason": "why"}}}
    return f"-e '{json.dumps(given)}'"


def _began(record: Record) -> tuple[int, str]:
    """The epoch of the lock comes first, for it needs no clock. Records of earlier versions have none."""
    return max((one.fence for one in record.phases.values()), default=0), record.started


def _changed(record: Record, order: PhaseOrder) -> bool:
    """Whether it got past its first phase, which only looks."""
    return any(name in record.phases for name in order.phases[1:])
