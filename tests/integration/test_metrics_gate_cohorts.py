"""Users with a feature beside those without, by the module and a Prometheus that tells what it is told to."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from tests.fakes.prometheus import FakePrometheus, prometheus
from tests.integration.running import connection
from tests.module_runner import run_module

USERS = {
    "name": "failing_users",
    "treated": {"seen": "ts", "failed": "tf"},
    "control": {"seen": "cs", "failed": "cf"},
}


pytestmark = pytest.mark.usefixtures("watch_clock")


@pytest.fixture
def server() -> t.Iterator[FakePrometheus]:
    with prometheus() as fake:
        yield fake


def tells(server: FakePrometheus, *looks: tuple[t.Any, t.Any, t.Any, t.Any]) -> None:
    for query, answers in zip(("ts", "tf", "cs", "cf"), zip(*looks, strict=True), strict=True):
        server.says(query, *answers)


def gate(
    server: FakePrometheus,
    *more: dict[str, t.Any],
    users: dict[str, t.Any] | None = None,
    **options: t.Any,
) -> dict[str, t.Any]:
    given = {"duration": 0.4, "interval": 0.1, "prometheus": {"url": server.url}, **options}
    return run_module(metrics_gate, metrics=[{**USERS, **(users or {})}, *more], **given)


def test_a_harm_to_treated_users_alone_goes_back_while_the_overall_rate_is_within_its_bound(server):
    tells(server, (0, 0, 0, 0), (500, 11, 9500, 95), (1000, 22, 19000, 190), (1500, 36, 28500, 285))
    server.says("overall", 0.0107)
    overall = {
        "name": "error_rate",
        "query": "overall",
        "pass": {"max": 0.02},
        "rollback": {"above": 0.05},
    }
    result = gate(server, overall, duration=60)
    assert (result["reason"], result["verdict"]) == ("Rollback", "rollback")
    assert result["samples"][0]["count"] == 4
    assert [one["metric"] for one in result["reasons"]] == ["failing_users"]
    assert "treated users failed" in result["msg"]


def test_users_are_counted_by_sql_since_the_watch_began(world, server):
    """Nobody has been seen since then, so that nothing is compared, and that holds."""
    users = "SELECT count(*) FROM pg_stat_activity WHERE backend_start >= timestamptz '{since}' + interval '1 day'"
    by_sql = {
        "kind": "postgres",
        "connection": connection(world),
        "treated": {"seen": users, "failed": users},
        "control": {"seen": users, "failed": users},
    }
    result = gate(server, users=by_sql)
    assert result["verdict"] == "hold"
    assert "has seen no user yet" in result["msg"]
    wrong = {"seen": "SELECT nothing_of_that_name", "failed": users}
    refused = gate(server, users={**by_sql, "treated": wrong})
    assert "'failing_users'" in refused["msg"]
    assert "rejects the query" in refused["msg"]
