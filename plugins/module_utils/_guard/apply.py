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
from .._flags.apply import decide_flags, observe_flags
from .._flags.flagd import Document
from .._flags.plan import FlagsMap, FlagsPlan, Wish, checksum
from .._flags.pods import FlagsProbe
from .._flags.switch import KillSwitch
from .._gate.models import Metric, Sample
from .._gate.prometheus import AlertsSource
from .._gate.state import begin as begin_watch
from .._gate.state import evidence_before
from .._gate.store import definition
from .._gate.verdict import breached
from .._gate.watch import Sources, sample_all
from .._kill_switch.apply import ATTEMPTS, KillSwitching
from .._kill_switch.consumer import ConsumerState, FlagsRequest
from .._kill_switch.plan import plan_set
from .._lock.apply import LEASE
from .._lock.models import Lock
from .._ramp.apply import RampFlags, observe_ramp
from .._ramp.describe import place as place_told
from .._ramp.judge import WatchFinding, judge
from .._ramp.models import ROLLBACK, RampSchedule
from .._ramp.status import Start, stand, step_key
from .._release.models import DONE, Record
from .._run import Alive, never_alive
from .._time import format_time, now, parse_time
from . import causes
from .memory import Memory, MemoryStore, begin
from .models import KILL_SWITCH, Act, Acts, Choice, Observation, Place, Rules
from .plan import choose, lasting
from .tell import Announcement, announcements

OpenCluster = t.Callable[[], Cluster]
ALERTS = "alerts"
"""What a look at the alerts is called among what could not be seen."""


@dataclass(frozen=True)
class Task:
    """What the guard is told. `flags_off` switch the feature off; `consumers` read the flags."""

    release: str
    place: RampFlags
    schedule: RampSchedule
    rules: Rules
    flags_off: t.Mapping[str, str]
    consumers: tuple[str, ...] = ()
    lock: str = ""
    by: str = "guard"
    wait_timeout: float = 180.0
    mounted: bool = False
    probe: FlagsProbe = field(default_factory=FlagsProbe)
    document: Document | None = None


@dataclass(frozen=True)
class Watched:
    """What the metrics are asked by. `metrics_for` makes them, told the evidence before and the share of the users."""

    metrics_for: t.Callable[[t.Mapping[str, float], float | None], t.Sequence[Metric]]
    sources: Sources


@dataclass(frozen=True)
class Look:
    """What came of it. `resting` says why there is nothing to guard, "" while there is."""

    resting: str = ""
    place: Place = field(default_factory=lambda: Place(None))
    choice: Choice = field(default_factory=Choice)
    seen: Observation = field(default_factory=Observation)
    memory: Memory | None = None
    flags: FlagsPlan | None = None
    consumers: tuple[ConsumerState, ...] = ()
    delivered: bool = False
    kept: bool = True
    news: tuple[Announcement, ...] = ()


class Guard:
    """`open_cluster` makes a new client at each call, for threads that each need one."""

    def __init__(
        self,
        open_cluster: OpenCluster,
        task: Task,
        watched: Watched,
        *,
        report: t.Callable[[str], None] = lambda _text: None,
        clock: Clock | None = None,
        wall: t.Callable[[], datetime] = now,
        alive: Alive = never_alive,
    ) -> None:
        self._open_cluster = open_cluster
        self._cluster = open_cluster()
        self._task = task
        self._watched = watched
        self._report = report
        self._clock = clock or MonotonicClock()
        self._wall = wall
        self._alive = alive

    def look(self, record: Record | None, store: MemoryStore, *, check_mode: bool) -> Look:
        flags = observe_flags(self._cluster, self._task.place.config_map)
        resting = self._resting(record, flags)
        if resting or record is None:
            return Look(resting)
        start = start_of(record)
        place = self._place(flags, start)
        before = store.read() or begin(self._seconds())
        acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION))
        memory, seen, consumers = self._observe(record, flags, place, before)
        memory = memory.looked(seen, acts, self._seconds(), self._task.rules, self._task.by)
        plan, choice, place = self._write(record, memory, seen, start, check_mode=check_mode)
        acts = Acts.from_annotation(plan.annotations.get(GUARD_ANNOTATION))
        stray = causes.run_more(consumers, *self._names(), self._wanted(plan))
        delivers = bool(choice.what) or stray
        if delivers and not check_mode:
            consumers = self._deliver(plan)
        kept = check_mode or store.keep(memory)
        news = announcements(
            seen,
            acts,
            memory,
            lasting(seen, acts, memory, self._task.rules, self._wall()),
            told=record.announcements,
            release=record.version,
            attempt=record.attempt,
            place=place.told,
        )
        return Look(
            place=place,
            choice=choice,
            seen=seen,
            memory=memory,
            flags=plan,
            consumers=tuple(consumers),
            delivered=delivers,
            kept=kept,
            news=tuple(news),
        )

    def _resting(self, record: Record | None, flags: FlagsMap) -> str:
        release = self._task.release
        if record is None:
            return f"Release {release!r} has no record, so there is no ramp to guard."
        if record.status != DONE:
            return (
                f"Release {release!r} is not signed off ({record.status.replace('_', ' ')}): until then its own phases "
                "watch it, and the guard rests."
            )
        seen = observe_ramp(flags, self._task.place, self._wall())
        ramp = stand(self._task.schedule, seen, start_of(record))
        last = self._task.schedule.steps[-1].percentage
        over = ramp.percentage == last and ramp.state.verdict == "proceed"
        if over and seen.now >= ramp.state.watch_until and not seen.killed:
            return f"The ramp of release {release!r} is complete at {last} %: the guard rests."
        return ""

    def _place(self, flags: FlagsMap, start: Start) -> Place:
        seen = observe_ramp(flags, self._task.place, self._wall())
        ramp = stand(self._task.schedule, seen, start)
        return Place(
            percentage=ramp.percentage,
            step=step_key(seen, start),
            users=seen.enabled and ramp.percentage != 0,
            killed=seen.killed,
            told=place_told(self._task.schedule, ramp.percentage),
        )

    def _observe(
        self, record: Record, flags: FlagsMap, place: Place, before: Memory
    ) -> tuple[Memory, Observation, list[ConsumerState]]:
        """What is found now, and the memory with the samples of this look."""
        at, rules = self._seconds(), self._task.rules
        loaded, alerts = self._alerts()
        metrics, samples, memory = self._sample(record, place, before)
        samples = {**samples, **({ALERTS: alerts} if alerts.error else {})}
        unseen = causes.unseen_since(memory.unseen, samples, at)
        lock, dead = self._lock()
        renewed = f"{lock.holder} {lock.renewed}" if lock else ""
        known = memory.lock.get("renewed") == renewed
        since = float(memory.lock["since"]) if known and memory.lock else at
        memory = replace(memory, unseen=unseen, lock={"renewed": renewed, "since": since})
        consumers = self._pods(flags)
        # While somebody rolls out, pods differ as they should.
        busy = lock is not None and bool(lock.holder) and not dead
        # So they do while an act of another guard, a kill switch or a step down comes to them, without the lock.
        values = {name: flags.data.get(name) for name in self._names()}
        memory = memory.read(values, at)
        lately = at - memory.flags["since"] < self._task.wait_timeout
        told = not busy and not (
            causes.of_pods(consumers) and (lately or self._moved_since(values))
        )
        watch = memory.watch
        found = [
            *causes.of_alerts(loaded),
            *causes.of_metrics(breached(metrics, watch.series) if watch else ()),
            *causes.of_blindness(unseen, samples, rules, at),
            *causes.of_lock(lock, dead=dead, unchanged_for=at - since),
            *(causes.of_pods(consumers) if told else []),
        ]
        hidden = causes.hidden_by(
            metrics,
            samples,
            alerts=not alerts.error,
            pods=told and not causes.unknown_pods(consumers),
        )
        seen = Observation(tuple(found), hidden, place.step)
        return memory, seen, [] if busy else consumers

    def _alerts(self) -> tuple[list[LoadedRule], Sample]:
        """The rules that are loaded, and a failed sample if any that should be could not fire."""
        found: list[LoadedRule] = []
        for source in self._watched.sources.values():
            if not isinstance(source, AlertsSource):
                continue
            try:
                rules = source.loaded()
            except DeployError as exc:
                return [], Sample(None, str(exc).rstrip("."), error=True)
            blind = source.blindness(rules)
            if blind:
                return [*rules.values()], Sample(None, blind, error=True)
            found += rules.values()
        return found, Sample(float(len(found)))

    def _sample(
        self, record: Record, place: Place, before: Memory
    ) -> tuple[list[Metric], dict[str, Sample], Memory]:
        """At a step that is new, or asked otherwise, the watch begins anew; after a gap no breach is confirmed by the
        look before it."""
        started, rules = self._seconds(), self._task.rules
        kept = before.watch if before.step == place.step else None
        carried = kept.carried if kept else evidence_before(record.to_json(), before.guarded)
        share = place.percentage / 100.0 if place.percentage else None
        made = self._watched.metrics_for(carried, share)
        metrics = [
            one for one in made if not isinstance(self._watched.sources[one.name], AlertsSource)
        ]
        asked = definition(metrics)
        state = kept if kept and before.definition == asked else begin_watch(metrics, started)
        if started - before.last > rules.max_gap:
            apart = {name: replace(one, breaches=0) for name, one in state.series.items()}
            state = replace(state, series=apart)
        samples = sample_all(
            metrics,
            self._watched.sources,
            began=state.started,
            wall=self._seconds,
        )
        state = state.looked(metrics, samples, max(0.0, self._seconds() - state.started))
        evidence = {
            one.name: state.evidence[one.name].value(one.comparison)
            for one in metrics
            if one.comparison
        }
        memory = replace(
            before,
            step=place.step,
            definition=asked,
            watch=state,
            evidence=evidence,
        )
        return metrics, samples, memory

    def _lock(self) -> tuple[Lock | None, bool]:
        """The deploy lock, and whether the run that took it has ended for certain."""
        body = self._cluster.read("Lease", self._task.lock or LEASE)
        if body is None:
            return None, False
        lock = Lock.from_json(body)
        return lock, lock.run is not None and self._alive(lock.run) is False

    def _pods(self, flags: FlagsMap) -> list[ConsumerState]:
        wanted = {name: flags.data[name] for name in self._names() if name in flags.data}
        request = self._request(wanted, checksum(flags.data))
        return self._switching().look(self._task.consumers, request)

    def _moved_since(self, values: t.Mapping[str, str | None]) -> bool:
        """Whether somebody changed the flags while their pods were looked at."""
        flags = observe_flags(self._cluster, self._task.place.config_map)
        return any(flags.data.get(name) != value for name, value in values.items())

    def _write(
        self,
        record: Record,
        memory: Memory,
        seen: Observation,
        start: Start,
        *,
        check_mode: bool,
    ) -> tuple[FlagsPlan, Choice, Place]:
        """Read, decide and write are one: told by the flags as they are when they are written."""
        last: list[tuple[Choice, Place]] = []

        def wish(flags: FlagsMap) -> Wish:
            acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION))
            place = self._place(flags, start)
            choice = choose(seen, acts, memory, place, self._task.rules, self._wall())
            last[:] = [(choice, place)]
            return self._wish(flags, acts, choice, place, record)

        plan = decide_flags(
            self._cluster,
            self._task.place.config_map,
            wish,
            force=True,
            check_mode=check_mode,
            document=self._task.document,
            attempts=ATTEMPTS,
        )
        choice, place = last[0]
        after = replace(plan.before, data=plan.after, annotations=plan.annotations)
        return plan, choice, self._place(after, start) if choice.what else place

    def _wish(
        self, flags: FlagsMap, acts: Acts, choice: Choice, place: Place, record: Record
    ) -> Wish:
        if not choice.what:
            return Wish()
        if choice.what == KILL_SWITCH:
            switch = KillSwitch(
                set_at=format_time(self._wall()),
                by=self._task.by,
                reason=choice.why,
                automatic=True,
                flags=self._task.flags_off,
            )
            wish, to = plan_set(flags, switch), 0
        else:
            seen = observe_ramp(flags, self._task.place, self._wall())
            reasons = tuple(one.text for one in choice.causes)
            finding = WatchFinding(
                place.percentage or 0,
                ROLLBACK,
                self._task.by,
                reasons,
                began=start_of(record).began,
            )
            found = judge(self._task.schedule, seen, finding)
            to = found.after.percentage
            wish = Wish(
                flags={self._task.place.flag: str(to)},
                annotations={RAMP_ANNOTATION: found.after.to_annotation()},
            )
        act = Act(
            id=uuid.uuid4().hex[:12],
            what=choice.what,
            at=format_time(self._wall()),
            release=record.version,
            attempt=record.attempt,
            causes=tuple(one.key for one in choice.causes),
            before=place.percentage or 0,
            to=to,
            why=choice.why,
        )
        annotations = {**wish.annotations, GUARD_ANNOTATION: acts.added(act).to_annotation()}
        return replace(wish, annotations=annotations)

    def _deliver(self, plan: FlagsPlan) -> list[ConsumerState]:
        request = self._request(self._wanted(plan), plan.checksum)
        return self._switching().switch(self._task.consumers, request)

    def _wanted(self, plan: FlagsPlan) -> dict[str, str]:
        """What pods must run with: the flags of the ramp, and those that the kill switch holds."""
        names = {*self._names(), *plan.wish.flags}
        return {name: plan.after[name] for name in sorted(names) if name in plan.after}

    def _names(self) -> tuple[str, str]:
        return self._task.place.flag, self._task.place.enabled_by

    def _request(self, expected: t.Mapping[str, str], checksum_of_all: str) -> FlagsRequest:
        return FlagsRequest(
            config_map=self._task.place.config_map,
            expected=expected,
            checksum=checksum_of_all,
            actor=self._task.by,
            at=format_time(self._wall()),
            wait_timeout=self._task.wait_timeout,
            mounted=self._task.mounted,
            probe=self._task.probe,
        )

    def _switching(self) -> KillSwitching:
        return KillSwitching(
            self._open_cluster,
            clock=self._clock,
            wall=self._wall,
            report=lambda name, text: self._report(f"{name}: {text}"),
        )

    def _seconds(self) -> float:
        return self._wall().timestamp()


def start_of(record: Record) -> Start:
    """When the release set its first percentage, and when its own watch of that ended well."""
    first, watch = (record.phases.get(name) for name in ("feature_flags", "monitoring"))
    return Start(
        began=parse_time(first.finished) if first and first.status == DONE else None,
        watched=parse_time(watch.finished) if watch and watch.status == DONE else None,
    )
