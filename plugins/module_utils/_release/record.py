# SPDX-License-Identifier: GPL-3.0-or-later
"""A release record, typed, of whichever version wrote it: the one reader of its JSON. Pure.

Each type has the fields of the JSON that the modules return and the record keeps. Times stay as they are written:
what is no time is shown as it is. `plan` makes the JSON of the next record.
"""

from __future__ import annotations

import functools
import json
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._alerts.plan import Alerts, joined
from .._decode import decode, text, under
from .._errors import HoldError, VerificationError
from .._formats import read_json
from .._time import format_time, parse_time
from . import models

Json = t.Mapping[str, t.Any]
ON_HOLD = "on hold"
DECIDED = {"approve": "approved", "reject": "rejected"}
_HOLD = f"{HoldError.reason}: "


# --- what a phase leaves ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """Of one host, its `name`. Records of old have no `reason`, and a message that begins with it."""

    name: str = ""
    message: str = ""
    result: str = ""
    reason: str | None = None

    @property
    def held(self) -> bool:
        """Whether nothing went wrong for sure."""
        if self.reason is None:
            return self.message.startswith(_HOLD)
        return models.is_hold(self.reason)

    @property
    def sentence(self) -> str:
        return (self.message.removeprefix(_HOLD) if self.held else self.message) or "no message"

    @property
    def told(self) -> str:
        """The controller is no host to know of."""
        return self.sentence if self.name == "localhost" else f"{self.name}: {self.sentence}"


@dataclass(frozen=True)
class Service:
    """What a rollout made of a service, or a rollback: then `message` says why it did not go back."""

    name: str = ""
    result: str = under("result", "status")
    before: str = under("before.image")
    after: str = under("after.image", "image")
    ready: str = under("replicas.ready")
    desired: str = under("replicas.desired", default="?")
    duration: float | None = None
    cause: str = under("diagnosis.cause")
    msg: str = ""
    message: str = ""
    taken_away: tuple[str, ...] = ()
    """The fields that another hand had changed."""

    @property
    def known(self) -> bool:
        return self != Service(self.name)


@dataclass(frozen=True)
class RecordedCheck:
    """A line of the checklist, a smoke test, or a question that a watch asked; `answer` and below of who was asked."""

    name: str = ""
    status: str = ""
    detail: str = ""
    item: str = ""
    kind: str = ""
    seconds: float | None = None
    question: str = under("facts.question", "question")
    answer: str = under("facts.answer", "answer")
    by: str = under("facts.by", "by")
    waived_by: str = under("by", "waived_by")
    at: str = under("facts.at", "at")
    how: str = under("facts.how")
    note: str = ""


@dataclass(frozen=True)
class RecordedBackup:
    name: str = ""
    finished: str = ""
    duration: float | None = None
    size: t.Any = None
    sha256: str = ""
    uri: str = ""
    rows: t.Mapping[str, t.Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuardWarning:
    file: str = ""
    line: t.Any = None
    what: str = ""


@dataclass(frozen=True)
class Migrations:
    """Of one database. `guard_warnings` is None without a look."""

    name: str = ""
    applied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    waived: t.Mapping[str, t.Any] = field(default_factory=dict)
    guard_warnings: tuple[GuardWarning, ...] | None = None

    @property
    def waivers(self) -> dict[str, str]:
        """Why, by file."""
        known = self.waived.items()
        return {
            k: text(entry.get("reason") if isinstance(entry, dict) else entry) for k, entry in known
        }


@dataclass(frozen=True)
class TableLock:
    relation: str = ""
    mode: str = ""


@dataclass(frozen=True)
class Rehearsal:
    name: str = ""
    status: str = ""
    pending: tuple[str, ...] = ()
    durations: t.Mapping[str, t.Any] = field(default_factory=dict)
    locks: t.Mapping[str, tuple[TableLock, ...]] = field(default_factory=dict)
    waiver: str = ""
    waived_by: str = ""
    failure: str = ""
    left_out: tuple[str, ...] = ()
    rights_compared: int = 0


@dataclass(frozen=True)
class Function:
    slug: str = ""
    kind: str = ""
    version: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Functions:
    changes: tuple[Function, ...] = ()
    unchanged: tuple[str, ...] = ()
    functions: t.Mapping[str, Function] = field(default_factory=dict)
    activated: t.Any = None


@dataclass(frozen=True)
class Flags:
    """All of the ConfigMap `before` and `after`. `requested` are those of this release, in records since 0.3.0."""

    RAW = "all"
    requested: t.Mapping[str, t.Any] = under("asked", default_factory=dict)
    before: t.Mapping[str, t.Any] = field(default_factory=dict)
    after: t.Mapping[str, t.Any] = field(default_factory=dict)
    all: t.Any = None

    @property
    def state(self) -> t.Mapping[str, t.Any]:
        """A plain dictionary is the state after."""
        known = self.all if isinstance(self.all, dict) else {}
        return self.after if isinstance(known.get("after"), dict) else known


@dataclass(frozen=True)
class Cohort:
    observed: float | None = under("seen", default=None)
    failed: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Users with the feature beside those without."""

    treated: Cohort = Cohort()
    control: Cohort = Cohort()
    share: float | None = None
    ratio: float | None = None
    activity: float | None = None
    margin: float | None = under("worse_than", default=None)
    evidence: float | None = None
    needed: float | None = None
    before: float | None = None
    resets: int = 0
    seconds: float | None = None
    detectable: float | None = under("detectable.ratio", default=None)
    could_have_seen: str = ""


@dataclass(frozen=True)
class RecordedMetric:
    """As the gate judged it, in its result, in progress and in records.

    A record of an older version keeps no status: its numbers are judged by the same rule.
    """

    name: str = ""
    unit: str = ""
    query: str = ""
    kind: str = ""
    verdict: str = ""
    status: str = under("status", "mark")
    problem: str = ""
    newest: float | None = under("last", "value", default=None)
    lowest: float | None = under("min", default=None)
    highest: float | None = under("max", default=None)
    mean: float | None = None
    count: float | None = None
    missing: float | None = None
    minimum: float | None = under("pass.min", default=None)
    maximum: float | None = under("pass.max", default=None)
    below: float | None = under("rollback.below", default=None)
    above: float | None = under("rollback.above", default=None)
    points: t.Any = ()
    started: str = ""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Act:
    """What a person or a rule of the release did: who, when, why, and what belongs to its kind.

    The `name` of a use of the kill switch is its time. A decision is of the hold since `held` in a `watch`.
    """

    name: str = ""
    what: str = ""
    by: str = under("by", "approved_by")
    at: str = ""
    reason: str = under("reason", "why")
    gate: str = ""
    decision: str = ""
    of_attempt: int = under("evidence.attempt", default=0)
    watch: str = under("evidence.watch")
    held: str = under("evidence.held")
    known_as: str = under("evidence.known_as", default="")
    signature: str = under("evidence.signature", default="")
    holding: tuple[str, ...] = under("evidence.reasons", default=())
    concerns: tuple[str, ...] = under("evidence.concerns", default=())
    before: str = under("from", "before")
    to: str = ""
    stolen_from: str = ""
    backup: str = ""
    rights_compared: int = 0
    rights_given_back: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """What a rollback takes back, by the tags of its playbook."""
    services: tuple[str, ...] = ()
    """Those that it returns alone; empty for all."""


@dataclass(frozen=True)
class SignOff:
    """A line of the checklist, its `name`, that a person answers for: of one commit, in one attempt.

    `by` is what was typed, and `known_as` the account that the API server saw, with the place.
    """

    name: str = ""
    by: str = ""
    at: str = ""
    what: str = ""
    note: str = ""
    attempt: int = 0
    git_sha: str = ""
    known_as: str = ""
    signature: str = ""
    """By SSH, where there is one."""

    def to_json(self) -> dict[str, t.Any]:
        return {name: entry for name, entry in vars(self).items() if name != "name"}


@dataclass(frozen=True)
class Feedback:
    watched: str = ""
    since: str = ""
    answers: tuple[RecordedCheck, ...] = ()


@dataclass(frozen=True)
class Missed:
    """The receivers that an announcement did not reach."""

    channel: str = ""
    msg: str = ""


@dataclass(frozen=True)
class Announcement:
    name: str = ""
    undelivered: tuple[Missed, ...] = ()


@dataclass(frozen=True)
class Sections:
    """What stands in the evidence of a phase; in records that others wrote also in the facts, or in the record."""

    services: tuple[Service, ...] = ()
    checks: tuple[RecordedCheck, ...] = ()
    backups: tuple[RecordedBackup, ...] = ()
    rehearsals: tuple[Rehearsal, ...] = ()
    migrations: tuple[Migrations, ...] = ()
    functions: Functions | None = None
    flags: Flags | None = None
    metrics: tuple[RecordedMetric, ...] = ()
    announcements: tuple[Announcement, ...] = ()


@dataclass(frozen=True)
class Evidence(Sections):
    """Of one try of a phase. `all` is what was written."""

    RAW = "all"
    failures: tuple[Failure, ...] = ()
    settlement: str = under("settlement.sentence")
    standing: t.Mapping[str, t.Any] | None = under("settlement.standing", default=None)
    """The image that each service was found with."""
    preflight: tuple[RecordedCheck, ...] = ()
    verdict: str = ""
    reasons: tuple[str, ...] = under("reasons", "held.reasons", default=())
    decision: Act | None = None
    sensitivity: str = ""
    feedback: Feedback = Feedback()
    waived_by: str = under("waived_by", "by")
    waiver: str = under("reason", "waiver")
    all: t.Any = None

    @property
    def on_hold(self) -> bool:
        """Whether what failed is a hold, and nothing went wrong for sure."""
        return bool(self.failures) and all(failure.held for failure in self.failures)

    @property
    def decides(self) -> bool:
        """Whether it is for a person to decide, who did or did not."""
        return isinstance(self.all, dict) and "decision" in self.all

    @property
    def causes(self) -> tuple[Failure, ...]:
        """A host that stopped for another one's sake is no cause."""
        return (
            tuple(failure for failure in self.failures if failure.reason != models.ELSEWHERE)
            or self.failures
        )

    @property
    def why_held(self) -> str:
        return "; ".join(self.reasons)


@dataclass(frozen=True)
class Try:
    """One go at a phase: of `earlier_runs` with its status, of those that failed without."""

    started: str = ""
    finished: str = ""
    status: str = models.FAILED
    evidence: Evidence = Evidence()

    @property
    def begun(self) -> datetime | None:
        return parse_time(self.started)

    @property
    def ended(self) -> datetime | None:
        return parse_time(self.finished)

    @property
    def outcome(self) -> str:
        """A phase that failed is on hold when nothing went wrong for sure: data was missing, or no answer came."""
        return ON_HOLD if self.status == models.FAILED and self.evidence.on_hold else self.status

    @property
    def lasted(self) -> int | None:
        return between(self.started, self.finished)


@dataclass(frozen=True)
class Phase(Try):
    status: str = ""
    earlier_failures: tuple[Try, ...] = ()
    earlier_runs: tuple[Try, ...] = ()
    interruptions: tuple[Act, ...] = ()
    fence: int = 0
    """The epoch of the run that opened it last."""

    @property
    def done(self) -> bool:
        return self.status == models.DONE

    @property
    def failed(self) -> bool:
        return self.status == models.FAILED

    @property
    def running(self) -> bool:
        return self.status == models.RUNNING

    @property
    def waived(self) -> bool:
        return self.status == models.WAIVED

    @property
    def settled(self) -> bool:
        return self.status in models.SETTLED

    @property
    def taken_back(self) -> bool:
        return self.status in models.TAKEN_BACK

    @property
    def tries(self) -> tuple[Try, ...]:
        """Those that failed, oldest first, then the last one."""
        return (*self.earlier_failures, self)

    @property
    def only_rehearsed(self) -> bool:
        """Whether each of its tries failed in a rehearsal: nothing is applied before every rehearsal passed."""
        if not self.failed or self.interruptions:
            return False
        rehearsals = [entry.evidence.rehearsals for entry in (*self.tries, *self.earlier_runs)]
        return all(any(entry.status == models.FAILED for entry in each) for each in rehearsals)


# --- what happened besides the phases ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegistryImage:
    """`unseen`: why there was no look. `signed_by`: whose signature was verified, "" where none was asked for."""

    TEXT = "unseen"
    name: str = ""
    digest: str = ""
    signed_by: str = ""
    provenance: str = ""
    unseen: str = ""


@dataclass(frozen=True)
class RampWatch:
    name: str = ""
    verdict: str = ""
    samples: tuple[RecordedMetric, ...] = ()
    feedback: Feedback = Feedback()
    alerts: Alerts | None = None


@dataclass(frozen=True)
class Facts(Sections):
    overrides: tuple[Act, ...] = ()
    kill_switches: tuple[Act, ...] = ()
    decisions: tuple[Act, ...] = ()
    forced_locks: tuple[Act, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()
    images: tuple[RegistryImage, ...] = ()
    alerts: Alerts | None = None
    pins: t.Mapping[str, str] = field(default_factory=dict)
    """When the release wrote its pins, by their sha256."""
    waves: tuple[t.Any, ...] = ()
    services_returned: tuple[Service, ...] = ()
    database_restores: t.Mapping[str, tuple[Act, ...]] = field(default_factory=dict)
    ramp: tuple[Act, ...] = under("ramp.history", default=())
    ramp_watches: tuple[RampWatch, ...] = ()
    guard_acts: tuple[Act, ...] = under("guard.acts", default=())
    rollback_asked: Act = Act()
    rollback_open: bool = under("rollback_asked.open", default=False)
    restore_asked: Act = Act()
    restore_open: bool = under("restore_asked.open", default=False)
    """Whether a restore of the databases has begun and not ended: then the services may be down."""
    rollback_verified: tuple[RecordedCheck, ...] = ()
    """What a rollback must bring back, and whether it did."""

    @property
    def restored(self) -> list[tuple[str, Act]]:
        """Each database with a restore of it."""
        return [(name, act) for name, acts in self.database_restores.items() for act in acts]

    @property
    def wave_numbers(self) -> dict[str, int]:
        """By service."""
        waves = [wave if isinstance(wave, list) else [] for wave in self.waves]
        return {text(name): number for number, wave in enumerate(waves, start=1) for name in wave}


@dataclass(frozen=True)
class EarlierAttempt:
    attempt: str = ""
    status: str = ""
    actor: str = ""
    started: str = ""


NO_PHASE = Phase()


@dataclass(frozen=True)
class Record(Sections):
    """`body`: the JSON. `problems`: what could not be read, a sentence each.

    One that does not `exist` has nothing in it.
    """

    version: str = ""
    attempt: int = 0
    status: str = ""
    actor: str = ""
    git_sha: str = ""
    started: str = ""
    finished: str = ""
    phases: t.Mapping[str, Phase] = field(default_factory=dict)
    facts: Facts = Facts()
    notes: tuple[str, ...] = ()
    previous_attempts: tuple[EarlierAttempt, ...] = ()
    problems: tuple[str, ...] = ()
    body: Json = field(default_factory=dict)

    @classmethod
    def read(cls, body: t.Any) -> Record:
        """From the JSON of any version."""
        problems: list[str] = []
        stored = body if isinstance(body, dict) else {}
        result = decode(cls, {**stored, "problems": None, "body": None}, "record", problems)
        return replace(result, problems=tuple(dict.fromkeys(problems)), body=stored)

    @classmethod
    def load(cls, text: str, where: str) -> Record:
        """As this version writes it. Raises VerificationError for what lost a part, or has one of a later version."""
        body: t.Any = None
        try:
            body = read_json(text)
            whole = models.with_all_keys(body)
            _refuse_other_kinds("the record", whole, RECORD_KINDS)
            for name, phase in whole["phases"].items():
                _refuse_other_kinds(f"phase {name}", phase, PHASE_KINDS)
            return cls.read(whole)
        except (ValueError, TypeError, AttributeError) as exc:
            raise VerificationError(
                f"{where} has no valid release record ({exc}): restore it, or begin a new release.",
                record=body if isinstance(body, dict) else {},
            ) from exc

    @property
    def exists(self) -> bool:
        return any(name in self.__dataclass_fields__ for name in self.body)

    @property
    def alerts(self) -> Alerts:
        """What fired during the release and the steps of its ramp."""
        steps = (watch.alerts for watch in self.facts.ramp_watches if watch.alerts)
        return functools.reduce(joined, steps, self.facts.alerts or Alerts())

    def to_result(self, *, evidence: bool = False) -> dict[str, t.Any]:
        """What a task returns of it: `record`, whose phases have their evidence when asked for, and `document`.

        Ansible visits each value of a result several times, for the variable that has it and for each callback. A text
        is a single value.
        """
        body, document = {**self.body, models.HISTORY: []}, json.dumps(self.body)
        if not evidence:
            body["phases"] = {
                name: {key: value for key, value in phase.items() if key not in PROOF}
                for name, phase in body["phases"].items()
            }
        return {"record": body, "document": document}

    def repaired_since(self, name: str) -> str:
        """The later time of the attempt's start and the phase's last failure; "" without a record.

        A record's times are cut to whole seconds: a backup of the second that a failure names may be from before it. So
        a failure counts from the next second on.
        """
        ends = filter(None, (parse_time(end.finished) for end in self.phase(name).earlier_failures))
        return max([self.started, *(format_time(end + timedelta(seconds=1)) for end in ends)])

    def with_evidence(self, name: str, **more: t.Any) -> Record:
        """As if a phase had left this too."""
        phase = self.body["phases"][name]
        evidence = {**(phase.get("evidence") or {}), **more}
        phases = {**self.body["phases"], name: {**phase, "evidence": evidence}}
        return Record.read({**self.body, "phases": phases})

    @property
    def overrides(self) -> dict[str, Act]:
        """Checks that somebody overruled, by name."""
        return {act.name: act for act in self.facts.overrides}

    @classmethod
    def of_result(cls, result: t.Mapping[str, t.Any]) -> Record:
        """The one that a task read or wrote. What is no JSON, as after blanking out a secret, is none."""
        try:
            return cls.read(json.loads(result.get("document") or "null"))
        except ValueError:
            return cls.read(None)

    @property
    def identity(self) -> tuple[int, str]:
        """Of the attempt: its number may be another's, of another environment or of a record begun anew."""
        return self.attempt, self.started

    def phase(self, name: str) -> Phase:
        """One that has not begun has no status."""
        return self.phases.get(name, NO_PHASE)

    def evidence(self, name: str) -> Evidence:
        return self.phase(name).evidence

    def section(self, name: str) -> t.Any:
        """From where it stands: the record, its facts, or the first phase that has it; else what it is without."""
        places = (self, self.facts, *(entry.evidence for entry in self.phases.values()))
        results = (getattr(place, name) for place in places)
        return next((result for result in results if result), getattr(Sections(), name))

    def ordered(self, plan: t.Sequence[str]) -> dict[str, Phase]:
        """The phases as the plan orders them; those that it has not got come last, by their beginning."""
        rest = sorted(
            self.phases.keys() - {*plan}, key=lambda name: (self.phases[name].started, name)
        )
        return {name: self.phases[name] for name in (*plan, *rest) if name in self.phases}


def between(started: t.Any, finished: t.Any) -> int | None:
    """Whole seconds, None when one of the two is missing or the end stands before the beginning."""
    begin, end = parse_time(started), parse_time(finished)
    return round((end - begin).total_seconds()) if begin and end and end >= begin else None


PROOF = frozenset({"evidence", "earlier_failures", "earlier_runs", "interruptions"})
"""What takes most of a record's room, and what few tasks read."""
RECORD_KINDS: Json = {
    **dict.fromkeys(("version", "status", "actor", "git_sha", "started"), ""),
    "attempt": 1,
    **models.NEW_RECORD,
}
PHASE_KINDS: Json = {"status": "", "started": "", **models.NEW_PHASE}


def _refuse_other_kinds(what: str, body: Json, kinds: Json) -> None:
    """What is written has just these keys, each with a value of such a kind."""
    missing, strange = sorted(kinds.keys() - body.keys()), sorted(body.keys() - kinds.keys())
    if missing or strange:
        raise ValueError(
            f"{what} has {'no' if missing else 'a strange'} {(missing or strange)[0]!r}"
        )
    wrong = [key for key, value in kinds.items() if type(body[key]) is not type(value)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} of {what} is of another kind")
