# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of the guard: read, decide, write what was decided beside the flags, and bring the pods to them."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._alerts.plan import LoadedRule
from .._cluster import GUARD_ANNOTATION, RAMP_ANNOTATION, Clock, Cluster, MonotonicClock
from .._errors import DeployError
from .._flags.apply import KillSwitch, decide_flags, observe_flags
from .._flags.consumer import Consumers, ConsumerState
from .._flags.plan import FlagsMap, FlagsPlan, Wish, checksum
from .._flags.pods import FlagsProbe
from .._flags.values import Document
from .._gate.models import Metric, Sample
from .._gate.sources import AlertsSource, Sources
from .._gate.state import begin as begin_watch
from .._gate.state import evidence_before
from .._gate.store import definition
from .._gate.verdict import breached
from .._gate.watch import sample_all
from .._kill_switch import ATTEMPTS, plan_set
from .._lock.apply import LEASE
from .._lock.models import Lock
from .._ramp.apply import RampFlags, WatchFinding, judge, observe_ramp
from .._ramp.options import place as place_words
from .._ramp.plan import ROLLBACK, RampSchedule, Start, stand, step_key
from .._release.models import DONE
from .._release.record import Record
from .._run_process import Alive, never_alive
from .._time import format_time, now
from .memory import (
    KILL_SWITCH,
    METRIC,
    STEP_DOWN,
    Acts,
    Choice,
    GuardAct,
    GuardCause,
    GuardMemory,
    MemoryStore,
    Observation,
    RampPosition,
    Rules,
    choose,
    lasting,
)
from .tell import (
    GuardLook,
    announcements,
    hidden_by,
    of_alerts,
    of_blindness,
    of_lock,
    of_pods,
    run_more,
    unknown_pods,
)

ALERTS = "alerts"
"""The key of the alerts among the sources that fail."""


@dataclass(frozen=True)
class RampGuard:
    """`flags_off` switch the feature off; `consumers` read the flags. `metrics_for` returns the metrics for the earlier
    evidence and the share of users, and `sources` are theirs.
    """

    cluster: Cluster
    release: str
    place: RampFlags
    schedule: RampSchedule
    rules: Rules
    flags_off: t.Mapping[str, str]
    metrics_for: t.Callable[[t.Mapping[str, float], float | None], t.Sequence[Metric]]
    sources: Sources
    consumers: tuple[str, ...] = ()
    lock: str = LEASE
    by: str = "guard"
    wait_timeout: float = 180.0
    mounted: bool = False
    probe: FlagsProbe = field(default_factory=FlagsProbe)
    document: Document | None = None
    report: t.Callable[[str], None] = lambda _text: None
    clock: Clock = field(default_factory=MonotonicClock)
    wall: t.Callable[[], datetime] = now
    alive: Alive = never_alive

    def look(self, record: Record | None, store: MemoryStore, *, check_mode: bool) -> GuardLook:
        flags = observe_flags(self.cluster, self.place.config_map)
        resting = self._resting(record, flags)
        if resting or record is None:
            return GuardLook(resting)
        start = start_of(record)
        place = self._position(flags, start)
        at = self._seconds()
        before = store.read() or GuardMemory(begun=at, last=at)
        acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION))
        memory, observation, consumers = self._observe(record, flags, place, before)
        memory = memory.looked(observation, acts, self._seconds(), self.rules, self.by)
        plan, choice, place = self._write(record, memory, observation, start, check_mode=check_mode)
        acts = Acts.from_annotation(plan.annotations.get(GUARD_ANNOTATION))
        stray = run_more(consumers, *self._names(), self._wanted(plan))
        delivers = bool(choice.what) or stray
        if delivers and not check_mode:
            consumers = self._deliver(plan)
        stored = check_mode or store.keep(memory)
        news = announcements(
            observation,
            acts,
            memory,
            lasting(observation, acts, memory, self.rules, self.wall()),
            record=record,
            place=place.words,
        )
        return GuardLook(
            place=place,
            choice=choice,
            observation=observation,
            memory=memory,
            flags=plan,
            consumers=tuple(consumers),
            delivered=delivers,
            stored=stored,
            news=tuple(news),
        )

    def _resting(self, record: Record | None, flags: FlagsMap) -> str:
        release = self.release
        if record is None:
            return f"Release {release!r} has no record, so there is no ramp to guard."
        if record.status != DONE:
            return (
                f"Release {release!r} is not signed off ({record.status.replace('_', ' ')}): until then its own phases "
                "watch it, and the guard rests."
            )
        facts = observe_ramp(flags, self.place, self.wall())
        ramp = stand(self.schedule, facts, start_of(record))
        last = self.schedule.steps[-1].percentage
        over = ramp.percentage == last and ramp.state.verdict == "proceed"
        if over and facts.now >= ramp.state.watch_until and not facts.killed:
            return f"The ramp of release {release!r} is complete at {last} %: the guard rests."
        return ""

    def _position(self, flags: FlagsMap, start: Start) -> RampPosition:
        facts = observe_ramp(flags, self.place, self.wall())
        ramp = stand(self.schedule, facts, start)
        return RampPosition(
            percentage=ramp.percentage,
            step=step_key(facts, start),
            users=facts.enabled and ramp.percentage != 0,
            killed=facts.killed,
            words=place_words(self.schedule, ramp.percentage),
        )

    def _observe(
        self, record: Record, flags: FlagsMap, place: RampPosition, before: GuardMemory
    ) -> tuple[GuardMemory, Observation, list[ConsumerState]]:
        """The memory with the samples of this look, the observation, and the consumers."""
        at, rules = self._seconds(), self.rules
        loaded, alerts = self._alerts()
        metrics, samples, memory = self._sample(record, place, before)
        samples = {**samples, **({ALERTS: alerts} if alerts.error else {})}
        # A source without data, as at night, does not fail.
        failing = (name for name, sample in samples.items() if sample.error)
        unseen = {name: memory.unseen.get(name, at) for name in failing}
        lock, dead = self._lock()
        renewed = f"{lock.holder} {lock.renewed}" if lock else ""
        known = memory.lock.get("renewed") == renewed
        since = float(memory.lock["since"]) if known and memory.lock else at
        memory = replace(memory, unseen=unseen, lock={"renewed": renewed, "since": since})
        consumers = self._pods(flags)
        # During a rollout, pods differ as expected.
        busy = lock is not None and bool(lock.holder) and not dead
        # So they do while another guard's act, a kill switch or a step down reaches them, without the lock.
        values = {name: flags.data.get(name) for name in self._names()}
        memory = memory.read(values, at)
        lately = at - memory.flags["since"] < self.wait_timeout
        tells_of_pods = not busy and not (
            of_pods(consumers) and (lately or self._moved_since(values))
        )
        watch = memory.watch
        found_causes = [
            *of_alerts(loaded),
            *(
                GuardCause(f"{METRIC} {reason.metric}", STEP_DOWN, reason.text)
                for reason in (breached(metrics, watch.series) if watch else ())
            ),
            *of_blindness(unseen, samples, rules, at),
            *of_lock(lock, dead=dead, unchanged_for=at - since),
            *(of_pods(consumers) if tells_of_pods else []),
        ]
        hidden = hidden_by(
            metrics,
            samples,
            alerts=not alerts.error,
            pods=tells_of_pods and not unknown_pods(consumers),
        )
        observation = Observation(tuple(found_causes), hidden, place.step)
        return memory, observation, [] if busy else consumers

    def _alerts(self) -> tuple[list[LoadedRule], Sample]:
        """The loaded rules, and a failed sample if an expected rule could not fire."""
        loaded: list[LoadedRule] = []
        for source in self.sources.values():
            if not isinstance(source, AlertsSource):
                continue
            try:
                rules = source.loaded()
            except DeployError as exc:
                return [], Sample(None, str(exc).rstrip("."), error=True)
            blind = source.blindness(rules)
            if blind:
                return [*rules.values()], Sample(None, blind, error=True)
            loaded += rules.values()
        return loaded, Sample(float(len(loaded)))

    def _sample(
        self, record: Record, place: RampPosition, before: GuardMemory
    ) -> tuple[list[Metric], dict[str, Sample], GuardMemory]:
        """Sample the metrics. A new step or other metrics begin a new watch. After a gap, the look before it confirms
        no breach."""
        started, rules = self._seconds(), self.rules
        present = before.watch if before.step == place.step else None
        carried = present.carried if present else evidence_before(record, before.guarded)
        share = place.percentage / 100.0 if place.percentage else None
        made = self.metrics_for(carried, share)
        metrics = [
            metric for metric in made if not isinstance(self.sources[metric.name], AlertsSource)
        ]
        metrics_definition = definition(metrics)
        state = (
            present
            if present and before.definition == metrics_definition
            else begin_watch(metrics, started)
        )
        if started - before.last > rules.max_gap:
            apart = {name: replace(series, breaches=0) for name, series in state.series.items()}
            state = replace(state, series=apart)
        samples = sample_all(metrics, self.sources, began=state.started, wall=self._seconds)
        state = state.looked(metrics, samples, max(0.0, self._seconds() - state.started))
        evidence = {
            metric.name: state.evidence[metric.name].value(metric.comparison)
            for metric in metrics
            if metric.comparison
        }
        memory = replace(
            before, step=place.step, definition=metrics_definition, watch=state, evidence=evidence
        )
        return metrics, samples, memory

    def _lock(self) -> tuple[Lock | None, bool]:
        """The deploy lock, and whether the run that took it has ended for certain."""
        body = self.cluster.read("Lease", self.lock)
        if body is None:
            return None, False
        lock = Lock.from_json(body)
        return lock, lock.run is not None and self.alive(lock.run) is False

    def _pods(self, flags: FlagsMap) -> list[ConsumerState]:
        wanted = {name: flags.data[name] for name in self._names() if name in flags.data}
        return self._reading().look(wanted, checksum(flags.data))

    def _moved_since(self, values: t.Mapping[str, str | None]) -> bool:
        """Whether the flags changed while their pods were observed."""
        flags = observe_flags(self.cluster, self.place.config_map)
        return any(flags.data.get(name) != value for name, value in values.items())

    def _write(
        self,
        record: Record,
        memory: GuardMemory,
        observation: Observation,
        start: Start,
        *,
        check_mode: bool,
    ) -> tuple[FlagsPlan, Choice, RampPosition]:
        """Read, decide and write as one step, from the flags at the moment of the write."""
        last: list[tuple[Choice, RampPosition]] = []

        def wish(flags: FlagsMap) -> Wish:
            acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION))
            place = self._position(flags, start)
            choice = choose(observation, acts, memory, place, self.rules, self.wall())
            last[:] = [(choice, place)]
            return self._wish(flags, acts, choice, place, record)

        plan = decide_flags(
            self.cluster,
            self.place.config_map,
            wish,
            check_mode=check_mode,
            document=self.document,
            attempts=ATTEMPTS,
        )
        choice, place = last[0]
        after = replace(plan.before, data=plan.after, annotations=plan.annotations)
        return plan, choice, self._position(after, start) if choice.what else place

    def _wish(
        self, flags: FlagsMap, acts: Acts, choice: Choice, place: RampPosition, record: Record
    ) -> Wish:
        if not choice.what:
            return Wish()
        if choice.what == KILL_SWITCH:
            switch = KillSwitch(
                set_at=format_time(self.wall()),
                by=self.by,
                reason=choice.why,
                automatic=True,
                flags=self.flags_off,
            )
            wish, to = plan_set(flags, switch), 0
        else:
            facts = observe_ramp(flags, self.place, self.wall())
            reasons = tuple(cause.text for cause in choice.causes)
            finding = WatchFinding(
                place.percentage or 0,
                ROLLBACK,
                self.by,
                reasons,
                began=start_of(record).began,
            )
            ramp_plan = judge(self.schedule, facts, finding)
            to = ramp_plan.after.percentage
            wish = Wish(
                flags={self.place.flag: str(to)},
                annotations={RAMP_ANNOTATION: ramp_plan.after.to_annotation()},
            )
        act = GuardAct(
            id=uuid.uuid4().hex[:12],
            what=choice.what,
            at=format_time(self.wall()),
            release=record.version,
            attempt=record.attempt,
            causes=tuple(cause.key for cause in choice.causes),
            before=place.percentage or 0,
            to=to,
            why=choice.why,
        )
        annotations = {**wish.annotations, GUARD_ANNOTATION: acts.added(act).to_annotation()}
        return replace(wish, annotations=annotations)

    def _deliver(self, plan: FlagsPlan) -> list[ConsumerState]:
        return self._reading().switch(self._wanted(plan), plan.checksum)

    def _wanted(self, plan: FlagsPlan) -> dict[str, str]:
        """The flags that pods must run with: those of the ramp, and those that the kill switch holds."""
        names = {*self._names(), *plan.wish.flags}
        return {name: plan.after[name] for name in sorted(names) if name in plan.after}

    def _names(self) -> tuple[str, str]:
        return self.place.flag, self.place.enabled_by

    def _reading(self) -> Consumers:
        return Consumers(
            self.consumers,
            self.place.config_map,
            self.cluster,
            lambda name, text: self.report(f"{name}: {text}"),
            actor=self.by,
            wait_timeout=self.wait_timeout,
            mounted=self.mounted,
            probe=self.probe,
            clock=self.clock,
            wall=self.wall,
        )

    def _seconds(self) -> float:
        return self.wall().timestamp()


def start_of(record: Record) -> Start:
    """The time of the release's first percentage, and the good end of its own watch of it."""
    first, watch = record.phase("feature_flags"), record.phase("monitoring")
    return Start(
        began=first.ended if first.done else None, watched=watch.ended if watch.done else None
    )
