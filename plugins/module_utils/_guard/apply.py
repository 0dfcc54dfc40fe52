# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of the guard: read, decide, write what was decided beside the flags, and bring the pods to them."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from .._alerts.plan import LoadedRule
from .._cluster import GUARD_ANNOTATION, RAMP_ANNOTATION, Cluster
from .._errors import DeployError
from .._flags.apply import KillSwitch, decide_flags, observe_flags
from .._flags.consumer import Consumers, ConsumerState
from .._flags.plan import FlagsMap, FlagsPlan, Wish, checksum
from .._gate.models import Metric, Sample, failed_sample
from .._gate.sources import AlertsSource, SampleSource
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
from . import memory as guard
from . import tell
from .memory import Acts, GuardAct, GuardCause, GuardMemory, Observation, RampPosition, Rules
from .tell import GuardLook

ALERTS = "alerts"
"""The key of the alerts among the sources that fail."""


@dataclass(frozen=True)
class RampGuard:
    """`consumers` are the pods that read the flags. `flags_off` switch the feature off.

    `metrics_for` returns the metrics for the earlier evidence and the share of users, and `sources` are theirs.
    """

    cluster: Cluster
    release: str
    place: RampFlags
    schedule: RampSchedule
    rules: Rules
    flags_off: t.Mapping[str, str]
    metrics_for: t.Callable[[t.Mapping[str, float], float | None], t.Sequence[Metric]]
    sources: t.Mapping[str, SampleSource]
    consumers: Consumers
    lock: str = LEASE
    wall: t.Callable[[], datetime] = now
    alive: Alive = never_alive

    def look(
        self, record: Record | None, store: guard.MemoryStore, *, check_mode: bool
    ) -> GuardLook:
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
        memory = memory.looked(observation, acts, self._seconds(), self.rules, self.consumers.actor)
        plan, choice, place = self._write(record, memory, observation, start, check_mode=check_mode)
        acts = Acts.from_annotation(plan.annotations.get(GUARD_ANNOTATION))
        # The flags of the ramp, and those that the kill switch holds.
        names = sorted({*self._names, *plan.wish.flags})
        wanted = {name: plan.after[name] for name in names if name in plan.after}
        delivers = bool(choice.what) or tell.run_more(consumers, *self._names, wanted)
        if delivers and not check_mode:
            consumers = self.consumers.switch(wanted, plan.checksum, moved=plan.moves)
        stored = check_mode or store.keep(memory)
        news = tell.announcements(
            observation,
            acts,
            memory,
            guard.lasting(observation, acts, memory, self.rules, self.wall()),
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
        if alerts:
            samples = {**samples, ALERTS: failed_sample(alerts)}
        # A source without data, as at night, does not fail.
        failing = (name for name, sample in samples.items() if sample.error)
        unseen = {name: memory.unseen.get(name, at) for name in failing}
        lock, dead = self._lock()
        renewed = f"{lock.holder} {lock.renewed}" if lock else ""
        known = memory.lock.get("renewed") == renewed
        since = float(memory.lock["since"]) if known and memory.lock else at
        memory = replace(memory, unseen=unseen, lock={"renewed": renewed, "since": since})
        wanted = {name: flags.data[name] for name in self._names if name in flags.data}
        consumers = self.consumers.look(wanted, checksum(flags.data))
        # During a rollout, pods differ as expected.
        busy = lock is not None and bool(lock.holder) and not dead
        # So they do while another guard's act, a kill switch or a step down reaches them, without the lock.
        values = {name: flags.data.get(name) for name in self._names}
        if memory.flags.get("values") != values:
            memory = replace(memory, flags={"values": values, "since": at})
        lately = at - memory.flags["since"] < self.consumers.wait_timeout
        tells_of_pods = not busy and not (
            tell.of_pods(consumers) and (lately or self._moved_since(values))
        )
        watch = memory.watch
        found_causes = [
            *tell.of_alerts(loaded),
            *(
                GuardCause(f"{guard.METRIC} {reason.metric}", guard.STEP_DOWN, reason.text)
                for reason in (breached(metrics, watch.series) if watch else ())
            ),
            *tell.of_blindness(unseen, samples, rules, at),
            *tell.of_lock(lock, dead=dead, unchanged_for=at - since),
            *(tell.of_pods(consumers) if tells_of_pods else []),
        ]
        blind = {
            f"{guard.METRIC} {each.name}": samples[each.name].value is None for each in metrics
        }
        blind[guard.ALERT] = bool(alerts)
        blind[guard.PODS] = not tells_of_pods or tell.unknown_pods(consumers)
        hidden = {kind for kind, missing in blind.items() if missing}
        observation = Observation(tuple(found_causes), frozenset(hidden), place.step)
        return memory, observation, [] if busy else consumers

    def _alerts(self) -> tuple[list[LoadedRule], str]:
        """The loaded rules, and why an expected rule could not fire."""
        loaded: list[LoadedRule] = []
        for source in self.sources.values():
            if isinstance(source, AlertsSource):
                try:
                    rules = source.loaded()
                except DeployError as exc:
                    return [], str(exc).rstrip(".")
                if blind := source.blindness(rules):
                    return [*rules.values()], blind
                loaded += rules.values()
        return loaded, ""

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
        samples = sample_all(metrics, self.sources, began=state.started)
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
    ) -> tuple[FlagsPlan, guard.Choice, RampPosition]:
        """Read, decide and write as one step, from the flags at the moment of the write."""
        last: list[tuple[guard.Choice, RampPosition]] = []

        def wish(flags: FlagsMap) -> Wish:
            acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION))
            place = self._position(flags, start)
            choice = guard.choose(observation, acts, memory, place, self.rules, self.wall())
            last[:] = [(choice, place)]
            return self._wish(flags, acts, choice, place, record)

        plan = decide_flags(
            self.cluster,
            self.place.config_map,
            wish,
            check_mode=check_mode,
            attempts=ATTEMPTS,
        )
        choice, place = last[0]
        after = replace(plan.before, data=plan.after, annotations=plan.annotations)
        return plan, choice, self._position(after, start) if choice.what else place

    def _wish(
        self, flags: FlagsMap, acts: Acts, choice: guard.Choice, place: RampPosition, record: Record
    ) -> Wish:
        if not choice.what:
            return Wish()
        if choice.what == guard.KILL_SWITCH:
            switch = KillSwitch(
                set_at=format_time(self.wall()),
                by=self.consumers.actor,
                reason=choice.why,
                automatic=True,
                flags=self.flags_off,
            )
            wish, to = plan_set(flags, switch), 0
        else:
            facts = observe_ramp(flags, self.place, self.wall())
            reasons = tuple(cause.text for cause in choice.causes)
            began, by = start_of(record).began, self.consumers.actor
            finding = WatchFinding(place.percentage or 0, ROLLBACK, by, reasons, began=began)
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
        longer = Acts((*acts.acts, act)[-guard.MOST_ACTS :])
        annotations = {**wish.annotations, GUARD_ANNOTATION: longer.to_annotation()}
        return replace(wish, annotations=annotations)

    @property
    def _names(self) -> tuple[str, str]:
        return self.place.flag, self.place.enabled_by

    def _seconds(self) -> float:
        return self.wall().timestamp()


def start_of(record: Record) -> Start:
    """The time of the release's first percentage, and the good end of its own watch of it."""
    first, watch = record.phase("feature_flags"), record.phase("monitoring")
    return Start(
        began=first.ended if first.done else None, watched=watch.ended if watch.done else None
    )
