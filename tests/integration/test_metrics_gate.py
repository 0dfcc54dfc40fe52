# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from sandbox.world import World
from tests.integration.running import connection
from tests.module_runner import run_module

SQL = "SELECT count(*) FROM pg_database"


@pytest.fixture
def gate(world: World) -> t.Callable[..., dict[str, t.Any]]:
    def run(*metrics: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        named = [{"name": f"m{number}", **metric} for number, metric in enumerate(metrics)]
        given = {"prometheus_url": world.facts("prometheus")["url"], "duration": 0, **options}
        return run_module(metrics_gate, metrics=named, **given)

    return run


def test_good_metrics_proceed(world, gate):
    database = {"kind": "postgres", "query": SQL, "connection": connection(world)}
    result = gate(
        {"query": "vector(1)", "pass": {"max": 1}, "rollback": {"above": 2}},
        {**database, "pass": {"min": 1}},
        duration=0.4,
        interval=0.2,
    )
    assert (result["verdict"], result["changed"], result["reasons"]) == ("proceed", False, [])
    assert [entry["count"] for entry in result["samples"]] == [3, 3]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (
            {"query": "vector(1.5)", "pass": {"max": 1}, "rollback": {"above": 2}},
            "should be at most 1",
        ),
        ({"query": "nothing_of_that_name"}, "no series"),
        ({"query": "0 / 0"}, "NaN"),
        (
            {"query": 'vector(1) or label_replace(vector(2), "a", "b", "", "")'},
            "2 series where one is expected",
        ),
    ],
)
def test_doubt_and_missing_data_hold(gate, metric, words):
    result = gate(metric)
    assert (result["failed"], result["reason"], result["verdict"]) == (True, "Hold", "hold")
    assert words in result["msg"]
    assert "run the same phase again" in result["msg"]


def test_a_verdict_that_should_not_fail_is_only_told(gate):
    result = gate({"query": "nothing_of_that_name"}, fail_on=[])
    assert (result.get("failed"), result["verdict"]) == (None, "hold")


def test_breaches_in_a_row_roll_back_at_once(gate):
    breach = {"query": "vector(3)", "pass": {"max": 1}, "rollback": {"above": 2}}
    result = gate(breach, {"query": "nothing_of_that_name"}, duration=60, interval=0.1)
    assert (result["reason"], result["verdict"]) == ("Rollback", "rollback")
    assert "above 2 2 times in a row (last 3)" in result["msg"]
    assert result["duration"] < 30


def test_a_prometheus_out_of_sight_holds(gate):
    result = gate({"query": "vector(1)"}, prometheus_url="http://127.0.0.1:1")
    assert (result["verdict"], "cannot be reached" in result["msg"]) == ("hold", True)


@pytest.mark.parametrize(
    ("metric", "options", "words"),
    [
        ({"query": "sum("}, {}, "does not understand"),
        ({"query": "vector(1)", "pass": {"max": 3}, "rollback": {"above": 2}}, {}, "cross"),
        ({"query": "vector(1)"}, {"interval": 0}, "'interval'"),
        ({"query": "vector(1)"}, {"prometheus_url": None}, "'prometheus_url'"),
        ({"query": "vector(1)", "kind": "postgres"}, {}, "connection"),
    ],
)
def test_bad_input_is_refused(gate, metric, options, words):
    result = gate(metric, **options)
    assert result["failed"]
    assert words in result["msg"]
