"""A Prometheus that is down, slow, empty-handed or of two minds: nothing of that passes, nor goes back for it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from tests.fakes.prometheus import FakePrometheus, prometheus
from tests.module_runner import run_module

Gate = t.Callable[..., dict[str, t.Any]]
METRIC = {"name": "m", "query": "q", "pass": {"max": 1}, "rollback": {"above": 5}}


@pytest.fixture
def server() -> t.Iterator[FakePrometheus]:
    with prometheus() as fake:
        yield fake


@pytest.fixture
def gate(server, watch_clock) -> Gate:
    def run(*, metric: dict[str, t.Any] | None = None, **options: t.Any) -> dict[str, t.Any]:
        watched = {**METRIC, **(metric or {})}
        quick = {"duration": 0.4, "interval": 0.1, "query_timeout": 60}
        given = {"prometheus": {"url": server.url}, **quick, **options}
        return run_module(metrics_gate, metrics=[watched], **given)

    return run


def test_no_answer_in_time_holds(server, gate):
    server.says("q", 0)
    server.free.clear()
    result = gate(query_timeout=0.2, duration=0)
    server.free.set()
    assert (result["verdict"], "did not answer within 0.2 s" in result["msg"]) == ("hold", True)


def test_an_answer_out_of_a_cache_is_no_data(server, gate):
    stale = {"resultType": "vector", "result": [{"metric": {}, "value": [1000, "0"]}]}
    server.says("q", {"status": "success", "data": stale})
    result = gate(duration=1)
    assert (result["verdict"], result["samples"][0]["count"]) == ("hold", 1)
    assert "not newer than the previous one" in result["msg"]


@pytest.mark.parametrize(
    ("metric", "options", "words"),
    [
        ({"rollback": {"above": 0.5}}, {}, "cross"),
        ({"count": 0}, {}, "'count'"),
        ({"max_missing": 2}, {}, "from 0 to 1"),
        ({"initial_delay": 99}, {}, "'initial_delay'"),
        ({"interval": 0}, {}, "'interval'"),
        ({}, {"prometheus": None}, "'prometheus'"),
        ({"kind": "postgres"}, {}, "connection"),
        ({"kind": "kubernetes_log"}, {}, "deployment"),
        ({"kind": "kubernetes_log", "deployment": "d"}, {}, "'kubernetes' is missing"),
        ({}, {"release": "2.0.0"}, "'kubernetes' is missing"),
        ({}, {"hold_for": -1}, "'hold_for'"),
    ],
)
def test_bad_input_is_refused(gate, metric, options, words):
    result = gate(metric=metric, **options)
    assert result["failed"]
    assert words in result["msg"]
