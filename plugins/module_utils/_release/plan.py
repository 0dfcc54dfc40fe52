# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide what a task changes in a release record: from the record before to the record after."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._cluster import Object
from .._errors import ConflictError, InputError, VerificationError

RUNNING, DONE, FAILED, WAIVED, ROLLED_BACK = "running", "done", "failed", "waived", "rolled_back"
PARTLY = "partly_rolled_back"
"""Of a phase: some of what it did went back."""
PLANNED = "planned"
"""Of a record that people have signed and no phase has opened yet."""
SIGN_OFFS = "sign_offs"
"""The fact that keeps who signed what. Those for the next attempt are given before it begins."""
SETTLED = frozenset({DONE, WAIVED})
TAKEN_BACK = frozenset({ROLLED_BACK, PARTLY})

ROLLBACK_PHASE = "rollback"
"""The phase of an undo. It belongs to the attempt it undoes and never begins a new one."""


TRIES_KEPT = 10
"""How many failed tries of a phase, and how many runs of it, a record keeps: it has 1 MB for everything."""


@dataclass(frozen=True)
class Phase:
    """`evidence` is of the last run alone.

    `earlier_failures`: start, end and evidence of the tries that failed, oldest first. `earlier_runs`:
    the same, with their status, of those that were done before the phase was run again.
    """

    status: str
    started: str
    finished: str = ""
    evidence: t.Mapping[str, t.Any] = field(default_factory=dict)
    earlier_failures: tuple[t.Mapping[str, t.Any], ...] = ()
    earlier_runs: tuple[t.Mapping[str, t.Any], ...] = ()

    def to_json(self) -> Object:
        listed = ("earlier_failures", "earlier_runs")
        return {**asdict(self), **{name: [*map(dict, getattr(self, name))] for name in listed}}

    @classmethod
    def from_json(cls, body: Object) -> Phase:
        listed = ("earlier_failures", "earlier_runs")
        return cls(**{**body, **{name: tuple(body.get(name, ())) for name in listed}})

    def tried_again(self, now: str) -> Phase:
        """The next run of a phase that ended: what the one before left proves nothing about it."""
        left = {"started": self.started, "finished": self.finished, "evidence": self.evidence}
        failures, runs = self.earlier_failures, self.earlier_runs
        if self.status == FAILED:
            failures = (*failures, left)[-TRIES_KEPT:]
        else:
            runs = (*runs, {"status": self.status, **left})[-TRIES_KEPT:]
        return Phase(RUNNING, now, earlier_failures=failures, earlier_runs=runs)


@dataclass(frozen=True)
class Record:
    version: str
    attempt: int
    status: str
    actor: str
    git_sha: str
    started: str
    finished: str = ""
    phases: t.Mapping[str, Phase] = field(default_factory=dict)
    announcements: t.Mapping[str, t.Any] = field(default_factory=dict)
    backups: t.Mapping[str, t.Any] = field(default_factory=dict)
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    previous_attempts: tuple[t.Mapping[str, t.Any], ...] = ()

    def to_json(self) -> Object:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "phases": {name: phase.to_json() for name, phase in self.phases.items()},
            "notes": list(self.notes),
            "previous_attempts": [dict(one) for one in self.previous_attempts],
        }

    def dump(self) -> str:
        return json.dumps(self.to_json(), indent=1, sort_keys=True)

    @classmethod
    def load(cls, text: str, where: str) -> Record:
        body: t.Any = None
        try:
            body = json.loads(text)
            return cls(
                **{
                    **body,
                    "phases": {name: Phase.from_json(one) for name, one in body["phases"].items()},
                    "notes": tuple(body["notes"]),
                    "previous_attempts": tuple(body["previous_attempts"]),
                }
            )
        except (ValueError, TypeError, KeyError) as exc:
            raise VerificationError(
                f"{where} does not hold a release record as this collection writes it ({exc}): "
                "restore it, or begin a new release.",
                record=body if isinstance(body, dict) else {},
            ) from exc


@dataclass(frozen=True)
class Change:
    """What one task asks of the record. Empty fields ask nothing."""

    version: str
    actor: str
    now: str
    git_sha: str = ""
    phase: str = ""
    phase_status: str = ""
    phase_started: str = ""
    """When this run began the phase, for one that was done already and so was not opened again."""
    phase_changed: bool = False
    """Whether this run of a phase that was done already changed anything."""
    evidence: t.Mapping[str, t.Any] = field(default_factory=dict)
    status: str = ""
    announcements: t.Mapping[str, t.Any] = field(default_factory=dict)
    backups: t.Mapping[str, t.Any] = field(default_factory=dict)
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan_record(before: Record | None, change: Change) -> Record:
    """The record after. Equal to the one before when the task has nothing to add."""
    record = before or _begin(change)
    if begins_attempt(before, change):
        record = _begin_again(record, change)
    record = replace(
        record,
        announcements=merge(record.announcements, change.announcements),
        backups=merge(record.backups, change.backups),
        facts=merge(record.facts, change.facts),
        git_sha=change.git_sha or record.git_sha,
        notes=(*record.notes, *(one for one in change.notes if one not in record.notes)),
    )
    if change.phase:
        record = _step(record, change)
    if change.status and change.status != record.status:
        ended = "" if change.status in (RUNNING, PLANNED) else change.now
        record = replace(record, status=change.status, finished=ended)
    return record


def begins_attempt(before: Record | None, change: Change) -> bool:
    """Opening a phase of a release that was rolled back is deploying it again."""
    return (
        before is not None
        and before.status == ROLLED_BACK
        and change.phase_status == RUNNING
        and change.phase != ROLLBACK_PHASE
        and change.status in ("", RUNNING)
    )


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


def _begin(change: Change) -> Record:
    return Record(
        version=change.version,
        attempt=1,
        status=RUNNING,
        actor=change.actor,
        git_sha=change.git_sha,
        started=change.now,
    )


def _begin_again(record: Record, change: Change) -> Record:
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
    """What people signed for the next attempt while the one before stood rolled back."""
    given = record.facts.get(SIGN_OFFS) or {}
    ahead = {name: one for name, one in given.items() if one.get("attempt") == record.attempt + 1}
    return {SIGN_OFFS: ahead} if ahead else {}


def _step(record: Record, change: Change) -> Record:
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


def _next_phase(known: Phase | None, change: Change) -> Phase:
    """A settled phase stays as it is, so that a second run that had nothing to do writes nothing."""
    wanted = change.phase_status
    if known is None:
        if not wanted:
            raise InputError(
                f"The phase {change.phase!r} was never opened, so it can be given no evidence: set "
                "'phase_status'."
            )
        known = Phase(status=RUNNING, started=change.now)
    if known.status in SETTLED and not _ran_again(known, change):
        return known
    if known.status not in (RUNNING, FAILED) or (known.status == FAILED and wanted != FAILED):
        known = known.tried_again(change.phase_started or change.now) if wanted else known
    evidence = merge(known.evidence, change.evidence)
    if wanted in ("", RUNNING):
        return replace(known, evidence=evidence)
    if known.status == wanted and evidence == known.evidence:
        return known
    return replace(known, status=wanted, finished=change.now, evidence=evidence)


def _ran_again(known: Phase, change: Change) -> bool:
    """Whether a settled phase was run anew to an end of its own."""
    if change.phase_status == FAILED:
        return True
    return known.status == change.phase_status == DONE and change.phase_changed


def _taken_back(known: Phase | None, change: Change) -> Phase | None:
    """What was not done, or failed and says so, is not called taken back."""
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
