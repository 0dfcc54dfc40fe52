# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a watch with the record of its release, so that a rerun goes on where it stopped and people can decide."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import typing as t
import uuid
from dataclasses import dataclass, field, replace

from .._alerts.plan import Alerts
from .._arguments import read_who_and_why, refuse_secrets
from .._cluster import Cluster, MonotonicClock
from .._decode import dumped, encoded, restored, restored_by_name
from .._errors import ConflictError, DeployError, InputError, VerificationError
from .._formats import read_json
from .._identity import NO_DEMANDS, Demands, how_verified, known_as, named, signed_by_key
from .._release.plan import RecordChange, check_attempt
from .._release.record import Act, Evidence, Phase, Record
from .._release.store import Attachment, ReleaseStore
from .._release.task import change_record
from .._time import epoch, utc_now
from .models import Metric, Verdict
from .report import unmeasured
from .state import WatchState
from .verdict import APPROVE, REJECT, all_said, decision_fact, plan_decision, that_counts
from .watch import WatchPlan, take_up

ATTACHMENT = "watch"
PHASE = "monitoring"
"""The watch of phase 7."""
GOOD, BAD = "good", "bad"
SHOWN = ("unit", "pass", "rollback")
"""What a watch keeps of the question, for those who show it while it goes on."""
_PATIENCE = 2.0
"""Seconds that the cluster may take for an answer while metrics are waiting to be looked at."""


@dataclass(frozen=True)
class KeptWatch:
    """As its process wrote it. `state` is a WatchState's JSON, `asked` by metric its unit and bounds."""

    state: t.Mapping[str, t.Any]
    writer: str = ""
    asked: t.Mapping[str, t.Any] = field(default_factory=dict)


class WatchStore:
    """The watches of a release by gate, in one ConfigMap, each as the process that watches left it."""

    def __init__(self, store: ReleaseStore) -> None:
        self.file = Attachment(store, ATTACHMENT)
        self.watches: dict[str, KeptWatch] = {}

    def read(self) -> None:
        """Raises VerificationError."""
        content = self.file.read()
        with self._reading("watches"):
            self.watches = restored_by_name(KeptWatch, read_json(content or "{}"), ATTACHMENT)

    def state(self, gate: str) -> WatchState | None:
        entry = self.watches.get(gate)
        with self._reading(f"watch {gate!r}"):
            return None if entry is None else restored(WatchState, entry.state, "state")

    @contextlib.contextmanager
    def _reading(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except ValueError as exc:
            raise VerificationError(
                f"The {what} of release {self.file.store.version!r} cannot be read ({exc}): "
                f"delete ConfigMap '{self.file.store.name}-{ATTACHMENT}' to watch again."
            ) from exc

    def write(
        self, gate: str, writer: str, state: WatchState, requested: t.Mapping[str, t.Any]
    ) -> None:
        """Over the version that was read last. `requested`: by metric its unit and bounds, for those who show them."""
        kept = KeptWatch(json.loads(dumped(state)), writer, {**requested})
        watches = {**self.watches, gate: kept}
        content = {name: vars(watch) for name, watch in watches.items()}
        self.file.write(state.attempt, json.dumps(content, sort_keys=True).encode())
        self.watches = watches


@dataclass
class ReleaseMemory:
    """_gate.watch.Memory in the record of a release. `report` tells what a run before has left."""

    cluster: Cluster
    release: str
    gate: str
    report: t.Callable[[str], None]
    wall: t.Callable[[], float] = time.time
    demands: Demands = NO_DEMANDS
    lost: int = 0
    """Looks that could not be kept."""
    begun: float | None = None
    """When the attempt of the release began, in seconds since 1970; None until its record was read."""
    alerts: Alerts = Alerts()  # noqa: RUF009 - frozen
    """What fired since then, as far as the record knew."""
    _writer: str = field(default_factory=lambda: uuid.uuid4().hex)
    _stamp: dict[str, t.Any] = field(default_factory=dict)
    _asked: dict[str, t.Any] = field(default_factory=dict)
    _wrote: bool = False
    _settled: bool = False
    _judged: dict[Act, bool] = field(default_factory=dict)
    """Approvals, and whether they count."""

    def __post_init__(self) -> None:
        self._shelf = WatchStore(self._store())

    def recall(self, plan: WatchPlan) -> WatchState | None:
        record = check_attempt(self._store().read(), self.release)
        self.begun, self.alerts = epoch(record.started), record.alerts
        phase = record.phase(self.gate)
        self._stamp = {
            "attempt": record.attempt,
            "phase_started": phase.started,
            "definition": definition(plan.metrics),
        }
        self._asked = {
            metric.name: {
                key: entry for key, entry in encoded(unmeasured(metric)).items() if key in SHOWN
            }
            for metric in plan.metrics
        }
        self._settled = phase.settled
        self._shelf.read()
        known, present = self._shelf.state(self.gate), (record.attempt, self._stamp["definition"])
        # The run of a watch that ended has told how it ended. The time since belongs to no watch.
        over = known is not None and self._settled and known.ended
        if known is None or over or (known.attempt, known.definition) != present:
            return None
        decision = that_counts(self._said(record), known)
        # Clocks of two machines may differ, and time goes forward.
        now = max(self.wall() - known.started, known.elapsed)
        state = take_up(plan, known, now, phase_started=phase.started, manual=decision)
        gap = f"no samples for {now - known.elapsed:.0f} s"
        if state is None:
            self.report(f"the watch begun at {known.began_at} had {gap}: it starts again")
        else:
            self.report(
                f"the watch that began at {known.began_at} continues after {now:.0f} s; {gap}"
            )
        return state

    def remember(self, alerts: t.Mapping[str, t.Any]) -> None:
        """Record which alerts fired since the release began. A watch that belongs to no phase leaves them out."""
        if alerts and self._stamp.get("phase_started"):
            change_record(self._store(), facts={"alerts": dict(alerts)})

    def decision_on(self, state: WatchState) -> Act | None:
        try:
            record = self._store(_PATIENCE).read()
            said = self._said(record) if record else []
        except DeployError:
            return None  # the next look asks again
        if record is None or record.attempt != self._stamp["attempt"]:
            return None
        return that_counts(said, state)

    def _said(self, record: Record) -> list[Act]:
        """The decisions on this gate, but approvals that were not given by whom the release wants."""
        said = all_said(record, self.gate)
        for act in said:
            if act.decision == APPROVE and act not in self._judged:
                try:
                    scope = self.demands.scope(self.cluster, self.release)
                    self.demands.refuse_approver(act, scope)
                    self._judged[act] = True
                except VerificationError as exc:
                    self._judged[act] = False
                    self.report(f"the approval of {act.by} does not count: {exc}")
        return [act for act in said if self._judged.get(act, True)]

    def keep(self, state: WatchState) -> None:
        # A second run over a finished release writes nothing, until it finds something.
        if self._settled and state.held is None and state.ended != Verdict.ROLLBACK.value:
            return
        state = replace(state, **self._stamp)
        self._shelf.file.store = self._store(_PATIENCE if self._wrote else None)
        try:
            self._write(state)
        except DeployError as exc:
            # The first one must succeed: a watch that cannot be kept at all is told before an hour has gone.
            # But nothing may stand between a breach and the rollback.
            fatal = isinstance(exc, ConflictError) or not self._wrote
            if fatal and state.ended != Verdict.ROLLBACK.value:
                raise
            self.lost += 1
        self._wrote = True

    def _write(self, state: WatchState) -> None:
        try:
            self._shelf.write(self.gate, self._writer, state, self._asked)
        except ConflictError as exc:
            # Another gate of the release, or our own write whose answer was lost.
            before = self._shelf.watches.get(self.gate)
            self._shelf.read()
            now = self._shelf.watches.get(self.gate)
            if now != before and (now is None or now.writer != self._writer):
                raise ConflictError(
                    f"Another run watches {self.gate!r} of release {self.release!r} too: stop "
                    "one of them."
                ) from exc
            self._shelf.write(self.gate, self._writer, state, self._asked)

    def _store(self, patience: float | None = None) -> ReleaseStore:
        clock = MonotonicClock()
        cluster = self.cluster.until(clock.now() + patience) if patience else self.cluster
        return ReleaseStore(cluster, self.release, clock=clock)


def definition(metrics: t.Sequence[Metric]) -> str:
    """The same for the same questions and bounds, in whatever order."""
    requested = sorted(
        repr(
            (
                *(metric.name, metric.kind, metric.query, metric.bounds),
                *([metric.volume] if metric.volume else []),
                *([metric.comparison.margin] if metric.comparison else []),
            )
        )
        for metric in metrics
    )
    return hashlib.sha256("\n".join(requested).encode()).hexdigest()[:16]


def watches_of(store: ReleaseStore, attempt: int) -> dict[str, t.Any]:
    """By gate the state of each watch of this attempt, as its process left it. Of what is damaged, nothing."""
    watches = WatchStore(store)
    try:
        watches.read()
    except VerificationError:
        return {}
    return {
        gate: {**watch.state, "asked": watch.asked}
        for gate, watch in watches.watches.items()
        if watch.state.get("attempt") == attempt
    }


def record_decision(
    cluster: Cluster,
    release: str,
    wanted: Act,
    demands: Demands = NO_DEMANDS,
    key: str = "",
    *,
    check_mode: bool,
) -> dict[str, t.Any]:
    """Keep what a person decides of a gate. The result of the task, with the diff."""
    store = ReleaseStore(cluster, release, clock=MonotonicClock())
    record = check_attempt(store.read(), release)
    shelf = WatchStore(store)
    shelf.read()
    planned, new = plan_decision(record, shelf.state(wanted.gate), wanted, list(shelf.watches))
    scope = demands.scope(cluster, release)
    planned = signed_by_key(planned, scope, key) if new else planned
    person = ""
    if planned.decision == APPROVE:
        try:
            person = demands.refuse_approver(planned, scope)
        except VerificationError as exc:
            raise VerificationError(
                f"This approval would not count: {exc}. {how_verified(demands, 'sign_key')}"
            ) from exc
    fact = decision_fact(planned)
    if new:
        # By name too, so that two people of the same second do not overwrite each other.
        key = f"{planned.gate}-{planned.at}"
        if any(act.name == key for act in record.facts.decisions):
            key = f"{key}-{planned.by}"
        facts = {"decisions": {key: fact}}
        change = RecordChange(version=release, actor=planned.by, now=planned.at, facts=facts)
        store.change(change, check_mode=check_mode)
    return {
        "changed": new,
        "decision": fact,
        "sentence": decided(planned, release, person, would=check_mode and new),
        "diff": {"before": {} if new else fact, "after": fact},
    }


def decided(act: Act, release: str, person: str, *, would: bool) -> str:
    verb, past = ("approve", "approved") if act.decision == APPROVE else ("reject", "rejected")
    did = f"{named(act.by, person)} {f'would {verb}' if would else past}"
    return f"{did} the watch {act.gate!r} of release {release}: {act.reason}."


def answers_awaited(cluster: Cluster, release: str, gate: str) -> tuple[Evidence | None, str]:
    """Of a watch whose metrics were good, and since when answers count, "" for since the next watch begins.

    No evidence unless the phase of the gate held last, and only for an answer. An interrupted run may have asked, and
    not recorded it: what was answered since it began counts too.
    """
    record = ReleaseStore(cluster, release, clock=MonotonicClock()).read()
    phase = record.phase(gate) if record else Phase()
    evidence = phase.earlier_failures[-1].evidence if phase.earlier_failures else Evidence()
    if (evidence.verdict, evidence.feedback.watched) == (Verdict.HOLD.value, Verdict.PROCEED.value):
        return evidence, evidence.feedback.since
    return None, phase.started if phase.running and phase.interruptions else ""


def record_answer(
    cluster: Cluster, release: str, given: t.Mapping[str, t.Any], *, check_mode: bool
) -> dict[str, t.Any]:
    """Keep the option `answer` of the module release. A bad answer about phase 7 rejects the watch that runs.

    The result of the task, with the diff. Raises InputError for an unknown question, no name, no reason for what is not
    good, and a release without a record.
    """
    names, question, severity = given["questions"], given["question"], given["answer"]
    (by,) = read_who_and_why(by=given["by"])
    refuse_secrets(reason=given["reason"])
    note = (
        str(given["reason"]).strip()
        if severity == GOOD
        else read_who_and_why(reason=given["reason"])[0]
    )
    if question not in names:
        raise InputError(
            f"There is no question {question!r}: 'feedback' is one of {', '.join(names) or 'none'}."
        )
    store = ReleaseStore(cluster, release, clock=MonotonicClock())
    check_attempt(store.read(), release)
    at, gate = utc_now(), given["gate"]
    fact = {"gate": gate, "name": question, "answer": severity, "by": by, "at": at, "note": note}
    fact["known_as"] = known_as(cluster)
    facts = {"feedback": {f"{at} {gate} {question} {by}": fact}}
    change = RecordChange(version=release, actor=by, now=at, facts=facts)
    store.change(change, check_mode=check_mode)
    follows = "It counts at the end of the watch, or when the same command is run again."
    result: dict[str, t.Any] = {
        "changed": True,
        "answer": fact,
        "diff": {"before": {}, "after": fact},
    }
    if severity == BAD and gate == PHASE:
        why = f"{question} is bad, {note}"
        reject = Act(gate=PHASE, decision=REJECT, by=by, reason=why, at=at)
        # What has ended, or was never watched, has nothing to reject: the answer counts when the phase is run again.
        with contextlib.suppress(ConflictError, InputError):
            rejected = record_decision(cluster, release, reject, check_mode=check_mode)
            result["decision"], follows = rejected["decision"], rejected["sentence"]
    verb = "would say" if check_mode else "said"
    sentence = f"{by} {verb} of release {release}: {question} is {severity}. {follows}"
    return {**result, "sentence": sentence}
