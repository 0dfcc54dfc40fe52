"""What firing alerts are to a gate, with a Prometheus in memory."""

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    ActiveAlert,
    Alerts,
    FiredAlert,
    Labels,
    LoadedRule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._decode import dumped, restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    SampleStatus,
    Series,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import AlertsSource
from ansible_collections.easymo.deploy.plugins.module_utils._gate.verdict import breached, decide

NAMES = ("High Error Rate", "Service Down", "Told Only")
T = 1795685400.0
"""2026-11-26T09:30:00Z"""
WALLET = {"alertname": "Service Down", "service": "wallet-service", "severity": "critical"}
ERRORS = {"alertname": "High Error Rate", "severity": "critical"}
TOLD = {"alertname": "Told Only"}
METRIC = Metric("alerts", "alerts", "|".join(NAMES), "alerts", Bounds(maximum=0), breaches=1)


def rule(name: str, gate: str, *firing: Labels, health: str = "ok") -> LoadedRule:
    alerts = tuple(ActiveAlert(labels, T) for labels in firing)
    return LoadedRule(name, "q", 60, {}, {"gate": gate}, "g", health, "", alerts)


class Prometheus:
    """`now` fire, `times` are when which did."""

    def __init__(self, *now: Labels, times: t.Sequence[tuple[Labels, list[float]]] = ()) -> None:
        self.loaded = [
            rule(name, gate, *(one for one in now if one["alertname"] == name))
            for name, gate in zip(NAMES, ("rollback", "hold", "note"), strict=True)
        ]
        self.times = list(times)
        self.gaps: list[tuple[float, float]] = []
        self.away = False
        self.asked: list[float] = []

    def rules(self) -> list[LoadedRule]:
        if self.away:
            raise UnreachableError("Prometheus cannot be reached.")
        return [*self.loaded, rule("Not Ours", "rollback", {"alertname": "Not Ours"})]

    def firing_times(
        self, names: t.Sequence[str], seconds: float
    ) -> list[tuple[Labels, list[float]]]:
        self.asked.append(seconds)
        return [one for one in self.times if one[0]["alertname"] in names]

    def outages(self, _since: float, _until: float) -> list[tuple[float, float]]:
        return self.gaps


def source(prometheus: Prometheus) -> AlertsSource:
    return AlertsSource(prometheus, NAMES, 600)


def look(prometheus: Prometheus) -> tuple[Sample, SampleStatus]:
    sample = source(prometheus).sample("")
    return sample, METRIC.judge(sample)


@pytest.mark.parametrize(
    ("prometheus", "status", "value", "note"),
    [
        (Prometheus(), SampleStatus.GOOD, 0, ""),
        (Prometheus(ERRORS), SampleStatus.BREACH, 1, "High Error Rate since 2026-11-26T09:30:00Z fires"),
        (Prometheus(WALLET), SampleStatus.BETWEEN, 1,
         "Service Down (service=wallet-service) since 2026-11-26T09:30:00Z fires"),
        (Prometheus(WALLET, {**WALLET, "service": "x"}, ERRORS), SampleStatus.BREACH, 3, "service=x"),
        (Prometheus(TOLD, times=[(TOLD, [T])]), SampleStatus.GOOD, 0, ""),
        (Prometheus(times=[(WALLET, [T - 15, T])]), SampleStatus.BETWEEN, 1,
         "Service Down (service=wallet-service) fired until 2026-11-26T09:30:00Z"),
        (Prometheus(times=[(ERRORS, [T])]), SampleStatus.BETWEEN, 1, "High Error Rate fired until"),
        (Prometheus(WALLET, times=[(WALLET, [T])]), SampleStatus.BETWEEN, 1, "fires"),
    ],
    ids=["none", "goes back", "holds", "several", "only told", "ended a second ago",
         "what goes back has ended", "counted once"],
)  # fmt: skip
def test_what_an_alert_is_says_its_rule(prometheus, status, value, note):
    sample, judged = look(prometheus)
    assert (judged, sample.value) == (status, value)
    assert note in sample.note


def test_a_rule_that_says_nothing_holds():
    prometheus = Prometheus(ERRORS)
    prometheus.loaded = [replace(one, annotations={}) for one in prometheus.loaded]
    assert look(prometheus)[1] is SampleStatus.BETWEEN


def test_silence_of_what_cannot_fire_is_missing():
    prometheus = Prometheus()
    prometheus.loaded = [rule("High Error Rate", "rollback"), rule("Told Only", "note")]
    assert look(prometheus)[0].problem == "Prometheus has no alert 'Service Down' loaded"
    prometheus.loaded.append(rule("Service Down", "hold", health="err"))
    sample, status = look(prometheus)
    assert (sample.problem, status) == (
        "Prometheus does not evaluate 'Service Down'",
        SampleStatus.ERROR,
    )
    prometheus.away = True
    assert look(prometheus)[0].problem == "Prometheus cannot be reached"


def test_the_verdict_names_the_alert_and_not_a_number():
    for now, verdict, told in (
        (ERRORS, Verdict.ROLLBACK, "High Error Rate since 2026-11-26T09:30:00Z fires"),
        (WALLET, Verdict.HOLD, "Service Down (service=wallet-service) since"),
    ):
        series = {"alerts": Series().add(look(Prometheus(now))[0], METRIC)}
        decision = decide([METRIC], series)
        assert decision.verdict is verdict
        assert told in decision.reasons[0].text
        assert bool(breached([METRIC], series)) is (verdict is Verdict.ROLLBACK)
        # As the next run reads it.
        assert restored(Series, json.loads(dumped(series["alerts"])), "series") == series["alerts"]


def test_an_alert_that_fired_while_nobody_could_look_is_found_afterwards():
    prometheus = Prometheus(times=[(WALLET, [T, T + 15])])
    found = source(prometheus).since(T - 900, Alerts(), wall=lambda: T + 600)
    assert prometheus.asked == [1500]
    assert found == Alerts(
        True,
        (
            FiredAlert(
                "Service Down",
                "critical",
                "2026-11-26T09:30:00Z",
                "2026-11-26T09:30:15Z",
                "service=wallet-service",
            ),
        ),
    )


def test_a_time_in_which_prometheus_kept_nothing_is_not_known():
    prometheus = Prometheus()
    prometheus.gaps = [(T, T + 300)]
    found = source(prometheus).since(T - 900, Alerts(), wall=lambda: T + 600)
    assert not found.looked
    assert found.why_not == (
        "Prometheus kept nothing from 2026-11-26T09:30:00Z to 2026-11-26T09:35:00Z"
    )
    prometheus.away = True
    known = Alerts(True, (FiredAlert("Service Down", "critical", "2026-11-26T09:00:00Z"),))
    later = source(prometheus).since(T, known, wall=lambda: T + 600)
    assert later == Alerts(False, known.fired, "Prometheus cannot be reached")
