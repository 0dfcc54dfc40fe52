"""A ramp with its alerts and metrics over a cluster in memory, and guards that look at it, side by side if need be."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    ActiveAlert,
    LoadedRule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    GUARD_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    RAMP_ANNOTATION,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.consumer import Consumers
from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import FlagsProbe
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    failed_sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import AlertsSource
from ansible_collections.easymo.deploy.plugins.module_utils._guard.apply import (
    GuardLook,
    RampGuard,
)
from ansible_collections.easymo.deploy.plugins.module_utils._guard.memory import (
    Acts,
    GuardAct,
    MemoryStore,
    Rules,
)
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.apply import RampFlags
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import RampState
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.simulation.platform import FLAGS, PERCENTAGE, SWITCH
from tests.unit.plugins.module_utils._ramp.scenes import DAY, DAY_1, SCHEDULE, state_at

FLAG, FEATURE, RELEASE = PERCENTAGE, SWITCH, "2.0.0"
PLACE = RampFlags(FLAGS, FLAG, FEATURE)
OFF = {FEATURE: "false", FLAG: "0"}
ERRORS, DOWN, SLOW = "High Error Rate", "Service Down", "Slow Response"
CALLS_FOR = {ERRORS: {"gate": "rollback"}, DOWN: {"guard": "kill_switch"}, SLOW: {"gate": "hold"}}
RULES = Rules(settle=600, quiet=600, blind_after=900, max_silence=900)
METRIC = "error_rate"


@dataclass
class Monitoring:
    """Prometheus: which alerts fire and since when, and the value of the one metric."""

    firing: dict[str, float] = field(default_factory=dict)
    value: float = 0.0
    services: tuple[str, ...] = ("",)
    """Each alert fires for each of them."""
    out_of_sight: bool = False
    query: str = "errors"
    rejects: str = ""
    """Why whoever is asked of the metric rejects the query."""

    def rules(self) -> list[LoadedRule]:
        if self.out_of_sight:
            raise UnreachableError("Prometheus does not answer.")
        return [
            LoadedRule(
                name=name,
                query="up == 0",
                duration=60,
                labels={},
                annotations=annotations,
                group="release",
                health="ok",
                last_error="",
                firing=tuple(
                    ActiveAlert({"service": service} if service else {}, self.firing[name])
                    for service in self.services
                    if name in self.firing
                ),
            )
            for name, annotations in CALLS_FOR.items()
        ]

    def sample(self, _query: str) -> Sample:
        if self.out_of_sight:
            return failed_sample("Prometheus does not answer")
        if self.rejects:
            raise InputError(self.rejects)
        return Sample(self.value)


class RampWorld:
    """At `percentage`, judged good, on that step's day. `announced`: the keys of announcements in the record.

    `alive`: whether the run that holds the lock is, None for unknown.
    """

    def __init__(self, percentage: int = 5, day: float = 2.5) -> None:
        self.cluster = MemoryCluster()
        self.monitoring = Monitoring()
        self.now = DAY_1 + (day - 1) * DAY
        self.flags_set_at = DAY_1
        self.announced: dict[str, t.Any] = {}
        self.consumers: tuple[str, ...] = ()
        self.alive: bool | None = None
        data = {FEATURE: "true", FLAG: str(percentage), "OTHER": "kept"}
        annotations = {RAMP_ANNOTATION: state_at(percentage).to_annotation()}
        self.put(data, annotations)

    def put(self, data: t.Mapping[str, str], annotations: t.Mapping[str, str]) -> None:
        metadata = {"name": FLAGS, "annotations": dict(annotations)}
        self.cluster.put("ConfigMap", {"metadata": metadata, "data": dict(data)})

    def runs_with(self, percentage: int) -> None:
        """Pods that read the flags, and run with this percentage."""
        if not self.consumers:
            self.consumers = (NAME,)
            Controller(self.cluster, "easymo/wallet-service:v1")
        names = [name for kind, name in self.cluster.objects if kind == "Pod"]
        values = f"{FEATURE}=true\n{FLAG}={percentage}\n"
        self.cluster.environments = dict.fromkeys(names, values)

    @property
    def flags(self) -> t.Any:
        return self.cluster.objects["ConfigMap", FLAGS]

    @property
    def percentage(self) -> int:
        return int(self.flags["data"][FLAG])

    @property
    def acts(self) -> tuple[GuardAct, ...]:
        return Acts.from_annotation(
            self.flags["metadata"]["annotations"].get(GUARD_ANNOTATION)
        ).acts

    @property
    def killed(self) -> bool:
        return KILL_SWITCH_ANNOTATION in self.flags["metadata"]["annotations"]

    def raise_to(self, percentage: int) -> None:
        """As ramp.yml does, at this moment."""
        annotations = self.flags["metadata"]["annotations"]
        state = RampState.from_annotation(annotations[RAMP_ANNOTATION])
        assert state is not None
        moved = state.at(SCHEDULE, percentage, self.now, holder="ann@here")
        after = replace(moved, verdict="proceed")
        data = {**self.flags["data"], FLAG: str(percentage)}
        self.put(data, {**annotations, RAMP_ANNOTATION: after.to_annotation()})

    def fires(self, name: str) -> None:
        self.monitoring.firing.setdefault(name, self.now.timestamp())

    def ends(self, name: str) -> None:
        self.monitoring.firing.pop(name, None)

    def passes(self, seconds: float) -> RampWorld:
        self.now += timedelta(seconds=seconds)
        return self

    def look(
        self,
        *,
        clock: float = 0.0,
        by: str = "guard@here",
        keeps: bool = True,
        tells: bool = True,
        check: bool = False,
    ) -> GuardLook:
        """One run of the guard. `clock`: its machine's is so many seconds ahead.

        Without `keeps` it was killed between its write and its memory, without `tells` before it told people.
        """
        record = self.record()
        store = MemoryStore(ReleaseStore(self.cluster, RELEASE, clock=FakeClock()), 1)
        if not keeps:
            store.keep = lambda _memory: True  # type: ignore[method-assign]
        look = self.guard(clock, by).look(record, store, check_mode=check)
        if tells and not check:
            self.announced |= {announcement.key: {} for announcement in look.news}
        return look

    def guard(self, clock: float = 0.0, by: str = "guard@here") -> RampGuard:
        def wall() -> datetime:
            return self.now + timedelta(seconds=clock)

        guard = guard_of(self.cluster, self.monitoring, wall, by, self.consumers)
        return replace(guard, alive=lambda _run: self.alive)

    def record(self, status: str = "done") -> Record:
        began = self.flags_set_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        done = {"status": "done", "started": began, "finished": began}
        return Record.read(
            {
                "version": RELEASE,
                "attempt": 1,
                "status": status,
                "actor": "ann@here",
                "started": began,
                "phases": {"feature_flags": done, "monitoring": done},
                "announcements": self.announced,
            }
        )

    def stored(self) -> t.Any:
        return json.loads(
            json.dumps(self.cluster.objects.get(("ConfigMap", f"release-{RELEASE}-guard")))
        )


def guard_of(
    cluster: MemoryCluster, api: Monitoring, wall: t.Any, by: str, consumers: t.Any = ()
) -> RampGuard:
    metric = Metric(METRIC, "prometheus", api.query, "ratio", Bounds(maximum=0.01, above=0.05))
    alerts = Metric("alerts", "alerts", "|".join(CALLS_FOR), "", Bounds())
    sources = {METRIC: api, "alerts": AlertsSource(api, tuple(CALLS_FOR), 60.0)}
    return RampGuard(
        cluster,
        *(RELEASE, PLACE, SCHEDULE, RULES, OFF, lambda _before, _share: [metric, alerts], sources),
        Consumers(
            *(consumers, FLAGS, cluster, lambda *_report: None, by, 180.0),
            mounted=False,
            probe=FlagsProbe(),
            clock=FakeClock(),
            wall=wall,
        ),
        wall=wall,
    )
