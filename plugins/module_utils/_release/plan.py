# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a task changes in a release record: from the record before to the record after."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import Object
from .._errors import ConflictError, InputError
from .models import (
    DONE,
    FAILED,
    PLANNED,
    ROLLBACK_PHASE,
    ROLLED_BACK,
    RUNNING,
    SETTLED,
    SIGN_OFFS,
    TAKEN_BACK,
    WAIVED,
    Phase,
    Record,
)
from .order import PhaseOrder, has_changed, waived_now


@dataclass(frozen=True)
class RecordChange:
    """One task's changes to the record. Empty fields change nothing."""

    version: str
    actor: str
    now: str
    git_sha: str = ""
    phase: str = ""
    phase_status: str = ""
    phase_started: str = ""
    """The time at which this run began a phase that was done already, and so was not opened again."""
    phase_changed: bool = False
    """Whether this run of a phase that was done already changed anything."""
    fence: int = 0
    """Of the run that asks, 0 without a lock."""
    evidence: t.Mapping[str, t.Any] = field(default_factory=dict)
    status: str = ""
    announcements: t.Mapping[str, t.Any] = field(default_factory=dict)
    backups: t.Mapping[str, t.Any] = field(default_factory=dict)
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    order: PhaseOrder = field(default_factory=PhaseOrder)
    """The phases that must be done before `phase` is opened; empty for none."""

    @property
    def opens(self) -> bool:
        return bool(self.phase) and self.phase_status == RUNNING


def plan_record(before: Record | None, change: RecordChange) -> Record:
    """The record after the change, equal to the record before when the task adds nothing."""
    record = before or _begin(change)
    if begins_attempt(before, change):
        record = _begin_again(record, change)
    record = replace(
        record,
        announcements=merge(record.announcements, change.announcements),
        backups=merge(record.backups, change.backups),
        facts=merge(record.facts, change.facts),
        git_sha=change.git_sha or record.git_sha,
        notes=(*record.notes, *(note for note in change.notes if note not in record.notes)),
    )
    if change.opens:
        for name, waiver in waived_now(record, change.phase, change.order).items():
            let_go = replace(change, phase=name, phase_status=WAIVED, evidence=waiver.to_json())
            record = _step(record, let_go)
    if change.phase:
        record = _step(record, change)
    if change.status and change.status != record.status:
        ended = "" if change.status in (RUNNING, PLANNED) else change.now
        record = replace(record, status=change.status, finished=ended)
    return record


def begins_attempt(before: Record | None, change: RecordChange) -> bool:
    """Opening a phase of a release that was rolled back is deploying it again."""
    return (
        before is not None
        and before.status == ROLLED_BACK
        and change.phase_status == RUNNING
        and change.phase != ROLLBACK_PHASE
        and change.status in ("", RUNNING)
    )


def begins_release(before: Record | None, change: RecordChange) -> bool:
    """Whether this opens a phase of an attempt that has changed nothing yet."""
    fresh = (
        before is None or begins_attempt(before, change) or not has_changed(before, change.order)
    )
    return fresh and change.opens and change.phase in change.order.phases


def merge(base: t.Mapping[str, t.Any], more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """`more` over `base`, dictionaries into dictionaries."""
    merged = dict(base)
    for key, value in more.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = merge(known, value)
        merged[key] = value
    return merged


def diff_face(record: Record | None) -> Object:
    if record is None:
        return {}
    return {
        "attempt": record.attempt,
        "status": record.status,
        "phases": {name: phase.status for name, phase in record.phases.items()},
    }


def _begin(change: RecordChange) -> Record:
    return Record(
        version=change.version,
        attempt=1,
        status=RUNNING,
        actor=change.actor,
        git_sha=change.git_sha,
        started=change.now,
    )


def _begin_again(record: Record, change: RecordChange) -> Record:
    closed = {
        "attempt": record.attempt,
        "status": record.status,
        "actor": record.actor,
        "git_sha": record.git_sha,
        "started": record.started,
        "finished": record.finished,
        "phases": {name: phase.status for name, phase in record.phases.items()},
    }
    return replace(
        _begin(change),
        attempt=record.attempt + 1,
        facts=_signed_ahead(record),
        notes=record.notes,
        previous_attempts=(*record.previous_attempts, closed),
    )


def _signed_ahead(record: Record) -> dict[str, t.Any]:
    """The sign-offs for the next attempt that were given while this attempt was rolled back."""
    given = record.facts.get(SIGN_OFFS) or {}
    ahead = {
        name: sign_off
        for name, sign_off in given.items()
        if sign_off.get("attempt") == record.attempt + 1
    }
    return {SIGN_OFFS: ahead} if ahead else {}


def _step(record: Record, change: RecordChange) -> Record:
    known = record.phases.get(change.phase)
    if change.phase_status in TAKEN_BACK:
        phase = _taken_back(known, change)
        return replace(record, phases={**record.phases, change.phase: phase}) if phase else record
    phase = _next_phase(known, change)
    phases = {**record.phases, change.phase: phase}
    if phases == record.phases:
        return record
    if record.status == PLANNED:
        record = replace(record, actor=change.actor, started=change.now)
    record = replace(record, phases=phases)
    if change.status or change.phase == ROLLBACK_PHASE:
        return record
    if phase.status == FAILED:
        return replace(record, status=FAILED, finished=change.now)
    if record.status == DONE:
        return record  # one phase is run again, of a release that is signed off
    return replace(record, status=RUNNING, finished="")


def _next_phase(known: Phase | None, change: RecordChange) -> Phase:
    """A settled phase stays as it is, so that a second run that had nothing to do writes nothing."""
    wanted = change.phase_status
    if known is None:
        if not wanted:
            raise InputError(
                f"The phase {change.phase!r} was never opened, so it takes no evidence: set "
                "'phase_status'."
            )
        known = Phase(status=RUNNING, started=change.now)
    if known.status in SETTLED and not _ran_again(known, change):
        return known
    ended = known.status not in (RUNNING, FAILED)
    if wanted and (ended or (known.status == FAILED and wanted != FAILED)):
        again = known.tried_again(change.phase_started or change.now)
        # The epochs of its phases decide which release changed something last.
        known = replace(again, fence=change.fence or known.fence)
    if change.opens:
        known = known.opened_by(change.fence, change.actor, change.now)
    evidence = merge(known.evidence, change.evidence)
    if wanted in ("", RUNNING):
        return replace(known, evidence=evidence)
    if known.status == wanted and evidence == known.evidence:
        return known
    return replace(known, status=wanted, finished=change.now, evidence=evidence)


def _ran_again(known: Phase, change: RecordChange) -> bool:
    """Whether a settled phase was run anew to an end of its own."""
    if change.phase_status == FAILED or (known.status == WAIVED and change.opens):
        return True
    return known.status == change.phase_status == DONE and change.phase_changed


def _taken_back(known: Phase | None, change: RecordChange) -> Phase | None:
    """Only a phase that was done is marked as taken back, not a failed one."""
    if known is None or known.status in (FAILED, change.phase_status):
        return known
    return replace(known, status=change.phase_status, finished=change.now)


def check_attempt(record: Record | None, version: str) -> Record:
    """A record there is, for a task that cannot do without."""
    if record is None:
        raise ConflictError(
            f"There is no record of release {version!r}: open a phase of it first, or correct 'name'."
        )
    return record
