import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._waves import wave
from ansible_collections.easymo.deploy.plugins.modules import rollout
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.module_runner import Result, run_module

OLD, NEW = "easymo/wallet-service:v1.9.0", "easymo/wallet-service:v2.0.0"


@pytest.fixture
def cluster(monkeypatch) -> MemoryCluster:
    cluster, clock = MemoryCluster(), FakeClock()
    clock.listeners.append(Controller(cluster, OLD).tick)
    monkeypatch.setattr(wave, "cluster_for", lambda _module: cluster)
    monkeypatch.setattr(wave, "MonotonicClock", lambda: clock)
    return cluster


def roll(**arguments: t.Any) -> Result:
    return run_module(
        rollout, **{"name": NAME, "namespace": "easymo-prod", "image": NEW, **arguments}
    )


def test_check_mode_predicts_without_writing(cluster):
    result = roll(check=True, diff=True)
    assert (result["changed"], result["result"]) == (True, "succeeded")
    assert result["diff"]["after"]["images"] == {NAME: NEW}
    assert cluster.writes == []


def test_a_second_run_reports_no_change_in_the_same_shape(cluster):
    first, second = (roll() for _unused in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert set(first) == set(second)


def test_a_failure_has_a_reason_a_result_and_a_sentence(cluster):
    result = roll(image=f"{NEW}-nopull")
    assert (result["failed"], result["result"]) == (True, "rolled_back")
    assert result["reason"] == "ImageNotFound"
    assert result["msg"].startswith(f"The rollout of '{NAME}' failed: its image {NEW}-nopull")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": ""}, "'image' is required"),
        ({"state": "rolled_back"}, "all of the following are missing: release"),
        ({"wait_timeout": 0}, "'wait_timeout' is 0"),
        ({"soak": -1}, "'soak' is -1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_read(cluster, arguments, message):
    cluster.requests.clear()
    assert message in roll(**arguments)["msg"]
    assert cluster.requests == []
