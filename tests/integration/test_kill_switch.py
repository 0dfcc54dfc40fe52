"""The kill switch against real pods: twelve steps, rollouts in flight, and half-broken Deployments."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._flags import consumer, proof
from ansible_collections.easymo.deploy.plugins.modules import (
    deploy_lock,
    feature_flags,
    kill_switch,
)
from tests.integration.conftest import ABSENT, NEW, SERVICE, Place, deploy

OFF = {"FEATURE_AI_AGENTS": "false", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "0"}
AGENTS, PERCENTAGE = OFF
ON = {AGENTS: True, PERCENTAGE: 10}
HELD = {AGENTS: "false", PERCENTAGE: "0"}
WHY = {"reason": "error rate 7 %", "by": "ada@ops"}


@pytest.fixture
def live(place: Place) -> Place:
    """The service runs with the feature on."""
    place.run(feature_flags, flags=ON)
    deploy(place, SERVICE)
    assert environments(place) == [{AGENTS: "true", PERCENTAGE: "10"}] * 2
    return place


def environments(place: Place) -> list[dict[str, str]]:
    """What each pod that stays runs with, as kubectl sees it."""
    found = []
    for pod in staying(place):
        lines = place.kubectl("exec", pod["metadata"]["name"], "--", "env").splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        found.append({name: values.get(name, "") for name in OFF})
    return found


def staying(place: Place) -> list[t.Any]:
    pods = place.read("pods", selector=f"app={SERVICE}")["items"]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and running(pod)]


def running(pod: t.Any) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return bool(statuses) and all("running" in one["state"] for one in statuses)


def kill(place: Place, **options: t.Any) -> t.Any:
    given = {"consumers": [SERVICE], "flags": OFF, "percentage_flag": PERCENTAGE}
    return place.run(kill_switch, **{**given, **WHY, **options})


def seen(place: Place) -> tuple[t.Any, t.Any]:
    """All that a killing may write."""
    flags = place.read("configmaps", "feature-flags")
    return flags, place.deployment()["spec"]["template"]


def test_set_lowered_and_reset_in_check_mode_for_real_and_again(live: Place) -> None:
    place = live
    for options, wanted in (
        ({"state": "lowered", "percentage": 1}, {AGENTS: "true", PERCENTAGE: "1"}),
        ({}, HELD),
        ({"state": "reset"}, HELD),
    ):
        before = seen(place)
        predicted = kill(place, check_mode=True, **options)
        assert (predicted["changed"], predicted["diff"]["after"]["flags"]) == (True, wanted)
        assert seen(place) == before

        real = kill(place, **options)
        assert real.get("failed") is None, real
        assert real["changed"] is True
        assert real["diff"]["after"]["flags"] == wanted
        assert environments(place) == [wanted] * 2

        for check_mode in (True, False):
            after = seen(place)
            again = kill(place, check_mode=check_mode, **options)
            assert (again["changed"], seen(place)) == (False, after), check_mode
    assert real["kill_switch"] == {}


def test_a_rollout_in_flight_and_anothers_lock_do_not_stop_it(live: Place) -> None:
    place = live
    held = place.run(deploy_lock, release="2.0.0", manual=True, reason="deploying")
    assert held["changed"] is True
    place.kubectl("set", "image", f"deployment/{SERVICE}", f"{SERVICE}={NEW}")
    result = kill(place)
    assert result.get("failed") is None, result
    assert environments(place) == [HELD] * 2
    assert place.image() == NEW


def test_a_rollout_that_hangs_still_ends_with_every_pod_off(
    live: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STALLED", 4.0)
    place = live
    place.kubectl("set", "image", f"deployment/{SERVICE}", f"{SERVICE}={ABSENT}")
    result = kill(place, wait_timeout=120)
    assert result.get("failed") is None, result
    reached = result["consumers"][0]
    assert reached["replaced"], reached
    assert reached["problem"], reached
    assert set(map(json.dumps, environments(place))) == {json.dumps(HELD)}
    assert place.deployment()["status"]["readyReplicas"] == 2


def test_a_paused_deployment_is_told_and_its_pods_are_off(live: Place) -> None:
    place = live
    place.kubectl("rollout", "pause", f"deployment/{SERVICE}")
    result = kill(place)
    assert result.get("failed") is None, result
    assert "paused" in result["consumers"][0]["note"]
    assert len(result["consumers"][0]["replaced"]) == 2
    assert environments(place) == [HELD] * 2
    assert place.deployment()["spec"]["paused"] is True


def test_pods_that_were_turned_on_behind_its_back_are_found(live: Place) -> None:
    """The template's checksum says off already, and proves nothing."""
    place = live
    kill(place)
    data = {"data": {AGENTS: "true", PERCENTAGE: "100"}}
    place.kubectl("patch", "configmap", "feature-flags", "--type=merge", "-p", json.dumps(data))
    place.kubectl("rollout", "restart", f"deployment/{SERVICE}")
    place.rolled_out(SERVICE)
    assert environments(place) == [{AGENTS: "true", PERCENTAGE: "100"}] * 2
    reached = kill(place)["consumers"][0]
    assert (reached["restarted"], reached["replaced"]) == (True, [])
    assert environments(place) == [HELD] * 2


def test_a_consumer_that_does_not_read_the_flags_is_never_taken_for_off(
    live: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "KUBELETS_KNOW", 3.0)
    place = live
    drop = [{"op": "remove", "path": "/spec/template/spec/containers/0/envFrom"}]
    place.kubectl("patch", "deployment", SERVICE, "--type=json", "-p", json.dumps(drop))
    place.rolled_out(SERVICE)
    result = kill(place, wait_timeout=45)
    assert result["failed"] is True
    assert "FEATURE_AI_AGENTS is unset" in result["msg"]
    assert "0 of 2 pods" in result["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reason": "WHY"}, "'reason' is 'WHY', which gives no reason"),
        ({"percentage": 5}, "use 'lowered'"),
        ({"state": "lowered", "percentage": 101}, "from 0 to 100"),
        ({"flags": {}}, "must have the value"),
        ({"flags": {"A": None}}, "must have the value"),
    ],
)
def test_bad_input_touches_nothing(place: Place, options: t.Any, message: str) -> None:
    result = kill(place, **options)
    assert result["reason"] == "InvalidInput"
    assert message in result["msg"]
    assert place.kubectl("get", "configmap", "feature-flags", "--ignore-not-found") == ""
