# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a phase may begin: every phase before it is done in this attempt, or a person waived it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .._arguments import decided_by
from .._cluster import Object
from .._errors import ConflictError, InputError
from .._flags.apply import KillSwitch
from .models import DONE, FAILED, FLAGS_PHASE, PARTLY, ROLLBACK_PHASE, ROLLED_BACK, RUNNING, SETTLED
from .record import Act, Record

STATES = {
    RUNNING: "is not finished",
    FAILED: "failed",
    ROLLED_BACK: "was taken back",
    PARTLY: "was partly rolled back",
}
NEVER = "was not begun"
SWITCHED_OFF = "is done, and what it switched on is off since"
OFF = ("false", "0")
PHASES_WAIVED, SUPERSEDES = "release_phases_waived", "release_supersedes"
UNFINISHED = frozenset({RUNNING, FAILED, PARTLY})


class PhaseOrderError(ConflictError):
    """The phase was not begun; the record is as it was."""

    reason = "OutOfOrder"


@dataclass(frozen=True)
class Waiver:
    by: str
    reason: str

    def to_override(self, what: str, known: Act | None, at: str) -> dict[str, t.Any]:
        """The waiver as the record stores it. An override that is recorded already keeps its time."""
        same = known and (known.by, known.reason, known.what) == (self.by, self.reason, what)
        return {**vars(self), "what": what, "at": known.at if known and same else at}


@dataclass(frozen=True)
class PhaseOrder:
    """`phases`: all names, in order. `passed`: those before this one in a run that records nothing (check mode)."""

    phases: tuple[str, ...] = ()
    waivers: t.Mapping[str, Waiver] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()
    supersedes: t.Mapping[str, Waiver] = field(default_factory=dict)
    """Releases by version that must not stop this one: unfinished ones at its begin, later ones afterwards."""
    flags: str = ""
    """The ConfigMap of the flags; "" for no check of flags."""
    switched_off: frozenset[str] = frozenset()
    """Phases with a flag that was switched off since: a later phase would judge a release without its feature."""


def read_waivers(option: str, given: t.Mapping[str, t.Any]) -> dict[str, Waiver]:
    waivers = {}
    for name, decision in given.items():
        by, reason = decided_by(f"{option}.{name}", decision)
        strange = set(decision) - {"by", "reason"} if isinstance(decision, dict) else set()
        if strange or not by or not reason:
            raise InputError(
                f"'{option}' must say for {name!r} who decided it and why: {by_name(option, str(name))}."
            )
        waivers[str(name)] = Waiver(by, reason)
    return waivers


def read_order(given: t.Mapping[str, t.Any]) -> PhaseOrder:
    """From the option `order` of the module release."""
    return PhaseOrder(
        phases=tuple(given.get("phases") or ()),
        waivers=read_waivers(PHASES_WAIVED, given.get("waived") or {}),
        passed=frozenset(given.get("passed") or ()),
        supersedes=read_waivers(SUPERSEDES, given.get("supersedes") or {}),
        flags=str(given.get("flags") or ""),
    )


def missing_phases(record: Record | None, phase: str, order: PhaseOrder) -> dict[str, str]:
    """The phases that must still be done before `phase` may begin, in order, each with its state in words."""
    if phase not in order.phases:
        return {}
    before = order.phases[: order.phases.index(phase)]
    known = record.phases if record else {}
    statuses = {name: known[name].status if name in known else "" for name in before}
    return {
        name: SWITCHED_OFF if status == DONE else STATES.get(status, NEVER)
        for name, status in statuses.items()
        if (status not in SETTLED or name in order.switched_off) and name not in order.passed
    }


def flags_of(record: Record | None) -> dict[str, t.Mapping[str, t.Any]]:
    """The flags that each done phase set, by phase."""
    done = (record.phases if record else {}).items()
    flags_by_phase = {name: phase.evidence.flags for name, phase in done if phase.done}
    return {
        name: flags.requested for name, flags in flags_by_phase.items() if flags and flags.requested
    }


def switched_off(record: Record | None, flags: Object | None) -> frozenset[str]:
    """Phases with a flag that is off in this ConfigMap; none under a person's kill switch, which only a person ends."""
    switch = KillSwitch.from_config_map(flags)
    if switch and not switch.automatic:
        return frozenset()
    data = (flags or {}).get("data") or {}
    return frozenset(
        name
        for name, values in flags_of(record).items()
        if any(data.get(flag) in OFF and str(to).lower() not in OFF for flag, to in values.items())
    )


def ramped_since(
    record: Record | None, flags: Object | None, names: t.Sequence[str]
) -> dict[str, int]:
    """The present values of these percentages, once the phase that set them is done.

    From then on a deployment no longer controls who gets the feature: the ramp raises it, people lower it. Empty
    before, and while the feature is off, for a deployment turns on again what was switched off.
    """
    data = (flags or {}).get("data") or {}
    present = {name: data[name] for name in names if name in data}
    done = record is not None and record.phase(FLAGS_PHASE).status == DONE
    if not done or KillSwitch.from_config_map(flags) or "0" in present.values():
        return {}
    return {name: int(value) if value.isdecimal() else 0 for name, value in present.items()}


def waived_now(record: Record | None, phase: str, order: PhaseOrder) -> dict[str, Waiver]:
    """The waivers that this opening uses up. Raises PhaseOrderError for a phase that neither is done nor waived."""
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
        raise PhaseOrderError(
            f"Phase {phase} cannot begin: {states}. Deploy what is missing first, or waive a phase "
            f"by name: {by_name(PHASES_WAIVED, first)}.",
            missing_phases=list(refused),
        )
    return {name: order.waivers[name] for name in missing}


def superseded(version: str, others: t.Iterable[Record], order: PhaseOrder) -> dict[str, Waiver]:
    """The unfinished releases that a person lets this one begin beside. Raises PhaseOrderError for any other.

    An unfinished release no longer counts once a later release that is done superseded it by name.
    """
    known = [
        record for record in others if record.version != version and has_changed(record, order)
    ]
    allowed = {}
    for other in known:
        if standing(other) not in UNFINISHED or any(
            _stands_over(record, other) for record in known
        ):
            continue
        if other.version not in order.supersedes:
            raise PhaseOrderError(
                f"Release {version} cannot begin: release {other.version} is {_words(other)}, begun {other.started}, "
                f"and a rollback would return to it half done. Finish it or roll it back {_at_home(other)}, or go "
                f"on by name: add {by_name(SUPERSEDES, other.version)}.",
                unfinished=other.version,
            )
        allowed[other.version] = order.supersedes[other.version]
    return allowed


def _at_home(release: Record) -> str:
    return f"from a checkout of release {release.version} (this inventory would switch off its own feature)"


def below_later(
    version: str, record: Record | None, others: t.Iterable[Record], order: PhaseOrder, phase: str
) -> dict[str, Waiver]:
    """The later releases in place that a person lets this one ignore when it goes on or back.

    Raises PhaseOrderError for any other. To a release that changed nothing here, every other release is later.
    """
    ours = _began(record) if record is not None and has_changed(record, order) else None
    later = [
        other
        for other in others
        if standing(other) in (*UNFINISHED, DONE)
        and has_changed(other, order)
        and (ours is None or _began(other) >= ours)
    ]
    unnamed = [other for other in later if other.version not in order.supersedes]
    if unnamed:
        last = max(unnamed, key=_began)
        why = "began after it" if ours else "stands, and it changed nothing here itself"
        back = phase == ROLLBACK_PHASE
        off = ", switch the feature off alone (playbooks/kill_switch.yml)"
        alone = off if back and FLAGS_PHASE in order.phases else ""
        raise PhaseOrderError(
            f"Release {version} cannot {'go back' if back else f'go on with phase {phase}'}: "
            f"release {last.version}, which is {_words(last)}, {why}. What that one set would be lost. Roll that one "
            f"back {_at_home(last)}{alone}, or go on by name: add {by_name(SUPERSEDES, last.version)}.",
            later=last.version,
        )
    return {other.version: order.supersedes[other.version] for other in later}


def has_changed(record: Record, order: PhaseOrder) -> bool:
    """Whether it got past its first phase, which only looks."""
    return any(name in record.phases for name in order.phases[1:])


def standing(record: Record) -> str:
    """How the release stands: that of a phase which was run or taken back after it was done, and not to its end."""
    if record.status != DONE:
        return record.status
    statuses = {phase.status for phase in record.phases.values()}
    return next((status for status in (FAILED, PARTLY) if status in statuses), DONE)


def override_of(version: str) -> str:
    """The override's name for a release that may go on past release `version`."""
    return f"release {version}"


def _stands_over(record: Record, other: Record) -> bool:
    """Whether it superseded the other by name and is done."""
    by_name = override_of(other.version) in record.overrides
    return by_name and standing(record) == DONE and _began(record) > _began(other)


def _words(record: Record) -> str:
    return standing(record).replace("_", " ")


def by_name(option: str, name: str) -> str:
    """The option that lets a run go on past this, which names it, as it is typed."""
    return f"-e '{json.dumps({option: {name: {'by': 'your name', 'reason': 'why'}}})}'"


def _began(record: Record) -> tuple[int, str]:
    """The epoch of the lock comes first, for it needs no clock. Records of earlier versions have none."""
    return max((phase.fence for phase in record.phases.values()), default=0), record.started
