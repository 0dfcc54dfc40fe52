import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from tests.firing_alerts import Fire, firing_alerts
from tests.integration.running import connection
from tests.module_runner import run_module
from tests.waiting import until

SQL = "SELECT count(*) FROM pg_database"


@pytest.fixture
def gate(world, watch_clock) -> t.Callable[..., dict[str, t.Any]]:
    def run(*metrics: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        named = [{"name": f"m{number}", **metric} for number, metric in enumerate(metrics)]
        given = {"prometheus": {"url": world.facts("prometheus")["url"]}, "duration": 0, **options}
        return run_module(metrics_gate, metrics=named, **given)

    return run


def test_good_metrics_proceed(world, gate):
    database = {"kind": "postgres", "query": SQL, "connection": connection(world)}
    result = gate(
        {"query": "vector(1)", "pass": {"max": 1}, "rollback": {"above": 2}},
        {**database, "pass": {"min": 1}},
        duration=20,
        interval=10,
    )
    assert (result["verdict"], result["changed"], result["reasons"]) == ("proceed", False, [])
    assert [entry["count"] for entry in result["samples"]] == [3, 3]


def test_a_verdict_that_should_not_fail_is_only_told(gate):
    result = gate({"query": "nothing_of_that_name"}, fail_on=[])
    assert (result.get("failed"), result["verdict"]) == (None, "hold")


def test_a_prometheus_out_of_sight_holds(gate):
    result = gate({"query": "vector(1)"}, prometheus={"url": "http://127.0.0.1:1"})
    assert (result["verdict"], "cannot be reached" in result["msg"]) == ("hold", True)


@pytest.fixture
def fire(world) -> t.Iterator[Fire]:
    with firing_alerts(world) as load:
        yield load


def test_alerts_are_evidence_while_they_fire_and_a_moment_after(gate, fire):
    metric = {"kind": "alerts", "query": "Back|Held", "pass": {"max": 0}, "breaches": 1}
    fire(Back=("rollback", False), Held=("hold", True))
    held = gate(metric)
    assert (held["verdict"], held["samples"][0]["last"]) == ("hold", 1)
    assert "Held (service=s) since 20" in held["msg"]
    fire(Back=("rollback", True), Held=("hold", True))
    back = gate(metric)
    assert (back["verdict"], "Back (service=s) since" in back["msg"]) == ("rollback", True)
    fire(Back=("rollback", False), Held=("hold", False))
    ended = gate(metric)
    assert (ended["verdict"], "Back (service=s) fired until 20" in ended["msg"]) == ("hold", True)
    until(lambda: gate({**metric, "window": 1})["verdict"] == "proceed")
    unknown = gate({**metric, "query": "Back|Nobody"})
    assert "Prometheus has no alert 'Nobody' loaded" in unknown["msg"]


def test_what_fired_since_the_watch_began_is_told_when_it_has_ended(gate, fire, watch_clock):
    """As after a time without sight: the one look that sees Prometheus again finds what fired meanwhile."""
    fire(Held=("hold", False))

    def blink() -> None:
        if watch_clock.now() > began:
            fire(Held=("hold", True))
            fire(Held=("hold", False))

    began = watch_clock.now()
    watch_clock.listeners.append(blink)
    metric = {"kind": "alerts", "query": "Held", "pass": {"max": 0}, "interval": 12}
    result = gate(metric, duration=12)
    alerts = result["alerts"]
    assert (alerts["looked"], [one["name"] for one in alerts["fired"]]) == (True, ["Held"]), alerts
    assert alerts["fired"][0]["until"] >= alerts["fired"][0]["since"]
    assert result["verdict"] == "hold"


def test_a_ratio_of_too_few_requests_holds_and_says_how_many_there_were(gate):
    ratio = {"query": "vector(1)", "pass": {"min": 0.99}}
    few = gate({**ratio, "volume": {"query": "vector(3)", "at_least": 20}})
    assert (few["verdict"], "3 requests of 20 needed" in few["msg"]) == ("hold", True)
    assert (
        gate({**ratio, "volume": {"query": "vector(20)", "at_least": 20}})["verdict"] == "proceed"
    )
    wrong = gate({**ratio, "volume": {"query": "sum(", "at_least": 20}})
    assert (wrong["reason"], "rejects the query" in wrong["msg"]) == ("InvalidInput", True)
