# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a task changes in a release record: from the record before to the record after."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import Object
from .._errors import ConflictError, InputError
from . import models
from .order import PhaseOrder, has_changed, waived_now
from .record import Record

Stored = dict[str, t.Any]
"""The JSON of a record, or of a phase in it. It is made here, and read by `record` alone."""
TRIES_KEPT = 10
"""How many failed tries of a phase, and how many runs of it, a record keeps: it has 1 MB for everything."""


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
        return bool(self.phase) and self.phase_status == models.RUNNING


def plan_record(before: Record | None, change: RecordChange) -> Record:
    """The record after the change, equal to the record before when the task adds nothing."""
    body = models.with_all_keys(before.body) if before else _begun(change)
    if begins_attempt(before, change):
        body = _begun_again(body, change)
    known = body["notes"]
    body = {
        **body,
        "announcements": merge(body["announcements"], change.announcements),
        "backups": merge(body["backups"], change.backups),
        "facts": merge(body["facts"], change.facts),
        "git_sha": change.git_sha or body["git_sha"],
        "notes": [*known, *(note for note in change.notes if note not in known)],
    }
    if change.opens:
        for name, waiver in waived_now(Record.read(body), change.phase, change.order).items():
            let_go = replace(change, phase=name, phase_status=models.WAIVED, evidence=vars(waiver))
            body = _step(body, let_go)
    if change.phase:
        body = _step(body, change)
    if change.status and change.status != body["status"]:
        ended = "" if change.status in (models.RUNNING, models.PLANNED) else change.now
        body = {**body, "status": change.status, "finished": ended}
    return before if before and before.body == body else Record.read(body)


def begins_attempt(before: Record | None, change: RecordChange) -> bool:
    """Opening a phase of a release that was rolled back is deploying it again."""
    return (
        before is not None
        and before.status == models.ROLLED_BACK
        and change.phase_status == models.RUNNING
        and change.phase != models.ROLLBACK_PHASE
        and change.status in ("", models.RUNNING)
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


def _begun(change: RecordChange) -> Stored:
    return {
        **models.NEW_RECORD,
        "version": change.version,
        "attempt": 1,
        "status": models.RUNNING,
        "actor": change.actor,
        "git_sha": change.git_sha,
        "started": change.now,
    }


def _begun_again(body: Stored, change: RecordChange) -> Stored:
    names = ("attempt", "status", "actor", "git_sha", "started", "finished")
    statuses = {name: phase["status"] for name, phase in body["phases"].items()}
    closed = {**{name: body[name] for name in names}, "phases": statuses}
    return {
        **_begun(change),
        "attempt": body["attempt"] + 1,
        "facts": {**_signed_ahead(body), **_still_to_restore(body)},
        "notes": body["notes"],
        models.HISTORY: body[models.HISTORY],
        "previous_attempts": [*body["previous_attempts"], closed],
    }


def _signed_ahead(body: Stored) -> Stored:
    """The sign-offs for the next attempt that were given while this attempt was rolled back."""
    given = body["facts"].get(models.SIGN_OFFS) or {}
    ahead = {
        name: sign_off
        for name, sign_off in given.items()
        if sign_off.get("attempt") == body["attempt"] + 1
    }
    return {models.SIGN_OFFS: ahead} if ahead else {}


def _still_to_restore(body: Stored) -> Stored:
    """The restore points of databases that were not restored since: they still have what was migrated."""
    restores = body["facts"].get("database_restores") or {}
    points = {
        name: {**point, "restores": 0}
        for name, point in (body["facts"].get("restore_points") or {}).items()
        if point.get("restores") == len(restores.get(name) or ())
    }
    return {"restore_points": points} if points else {}


def _step(body: Stored, change: RecordChange) -> Stored:
    known = body["phases"].get(change.phase)
    if change.phase_status in models.TAKEN_BACK:
        phase = _taken_back(known, change)
        return {**body, "phases": {**body["phases"], change.phase: phase}} if phase else body
    phase = _next_phase(known, change)
    if phase == known:
        return body
    if body["status"] == models.PLANNED:
        body = {**body, "actor": change.actor, "started": change.now}
    body = {**body, "phases": {**body["phases"], change.phase: phase}}
    if change.status or change.phase == models.ROLLBACK_PHASE:
        return body
    if body["status"] == models.DONE:
        return body  # one phase is run again, of a release that is signed off
    if phase["status"] == models.FAILED:
        return {**body, "status": models.FAILED, "finished": change.now}
    return {**body, "status": models.RUNNING, "finished": ""}


def _next_phase(known: Stored | None, change: RecordChange) -> Stored:
    """A settled phase stays as it is, so that a second run that had nothing to do writes nothing."""
    wanted = change.phase_status
    if known is None:
        if not wanted:
            raise InputError(
                f"The phase {change.phase!r} was never opened, so it takes no evidence: set "
                "'phase_status'."
            )
        known = {**models.NEW_PHASE, "status": models.RUNNING, "started": change.now}
    status = known["status"]
    if status in models.SETTLED and not _ran_again(status, change):
        return known
    ended = status not in (models.RUNNING, models.FAILED)
    if wanted and (ended or (status == models.FAILED and wanted != models.FAILED)):
        again = _tried_again(known, change.phase_started or change.now)
        # The epochs of its phases decide which release changed something last.
        known = {**again, "fence": change.fence or known["fence"]}
    if change.opens:
        known = _opened(known, change)
    evidence = merge(known["evidence"], change.evidence)
    if wanted in ("", models.RUNNING):
        return {**known, "evidence": evidence}
    if known["status"] == wanted and evidence == known["evidence"]:
        return known
    return {**known, "status": wanted, "finished": change.now, "evidence": evidence}


def _tried_again(phase: Stored, now: str) -> Stored:
    """The next run of a phase that ended, without the evidence of the run before."""
    left = {name: phase[name] for name in ("started", "finished", "evidence")}
    failures, runs = phase["earlier_failures"], phase["earlier_runs"]
    if phase["status"] == models.FAILED:
        failures = [*failures, left][-TRIES_KEPT:]
    else:
        runs = [*runs, {"status": phase["status"], **left}][-TRIES_KEPT:]
    return {
        **models.NEW_PHASE,
        "status": models.RUNNING,
        "started": now,
        "earlier_failures": failures,
        "earlier_runs": runs,
        "interruptions": phase["interruptions"],
    }


def _opened(phase: Stored, change: RecordChange) -> Stored:
    """The phase opened by this run. A phase that another run left running was interrupted."""
    if not change.fence or change.fence == phase["fence"]:
        return phase
    cut_short = phase["fence"] and phase["status"] == models.RUNNING
    taken_up = [{"by": change.actor, "at": change.now}] if cut_short else []
    interruptions = [*phase["interruptions"], *taken_up][-TRIES_KEPT:]
    return {**phase, "fence": change.fence, "interruptions": interruptions}


def _ran_again(status: str, change: RecordChange) -> bool:
    """Whether a settled phase was run anew to an end of its own."""
    if change.phase_status == models.FAILED or (status == models.WAIVED and change.opens):
        return True
    return status == change.phase_status == models.DONE and change.phase_changed


def _taken_back(known: Stored | None, change: RecordChange) -> Stored | None:
    """Only a phase that was done is marked as taken back, not a failed one."""
    if known is None or known["status"] in (models.FAILED, change.phase_status):
        return known
    return {**known, "status": change.phase_status, "finished": change.now}


def check_attempt(record: Record | None, version: str) -> Record:
    """A record there is, for a task that cannot do without."""
    if record is None:
        raise ConflictError(
            f"There is no record of release {version!r}: open a phase of it first, or correct 'name'."
        )
    return record
