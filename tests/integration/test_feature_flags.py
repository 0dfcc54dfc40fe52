"""Flags in a real ConfigMap, and in the containers that read it."""

import json
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._flags import proof
from ansible_collections.easymo.deploy.plugins.modules import feature_flags, pod_flags, rollout
from tests.integration.conftest import SERVICE, Place

PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
ON = {"FEATURE_AI_AGENTS": True, PERCENTAGE: 1}


def data_of(place: Place) -> t.Any:
    found = place.read("configmaps", "feature-flags")
    return found["data"]


def apply_by_kubectl(place: Place, data: dict[str, str]) -> None:
    """As an operator made the ConfigMap before this collection came."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
    body["metadata"] = {"name": "feature-flags"}
    place.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def test_created_changed_and_taken_out_in_check_mode_for_real_and_again(place):
    apply_by_kubectl(place, {})
    for flags, after in (
        (ON, {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "1"}),
        ({PERCENTAGE: 5}, {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "5"}),
        ({"FEATURE_AI_AGENTS": None}, {PERCENTAGE: "5"}),
    ):
        before = place.read("configmaps", "feature-flags")
        predicted = place.run(feature_flags, check_mode=True, flags=flags)
        assert (predicted["changed"], predicted["after"]) == (True, after)
        assert place.read("configmaps", "feature-flags") == before

        real = place.run(feature_flags, flags=flags)
        assert real == predicted
        assert data_of(place) == after

        again = place.run(feature_flags, flags=flags)
        assert (again["changed"], again["checksum"]) == (False, real["checksum"])


def test_what_kubectl_set_is_changed_and_named(place):
    apply_by_kubectl(place, {"FEATURE_AI_AGENTS": "true"})
    kept = place.run(feature_flags, flags={"FEATURE_AI_AGENTS": False}, force=False)
    assert kept["failed"] is True
    assert data_of(place) == {"FEATURE_AI_AGENTS": "true"}
    result = place.run(feature_flags, flags={"FEATURE_AI_AGENTS": False})
    assert result["overruled"] == ["kubectl-client-side-apply"]
    assert data_of(place) == {"FEATURE_AI_AGENTS": "false"}


def test_a_value_out_of_bounds_touches_nothing(place):
    result = place.run(feature_flags, flags={PERCENTAGE: 101}, bounds={PERCENTAGE: [0, 100]})
    assert f"{PERCENTAGE} is 101" in result["msg"]
    assert place.kubectl("get", "configmap", "feature-flags", "--ignore-not-found") == ""


def test_pods_that_started_with_older_flags_make_place_for_others(deployed, monkeypatch):
    monkeypatch.setattr(proof, "KUBELETS_KNOW", 3.0)
    deployed.run(feature_flags, flags=ON)
    wanted = {"name": SERVICE, "flags": ON, "wait_timeout": 90, "replace": True}
    before = set(deployed.kubectl("get", "pods", "-o", "name").split())
    assert deployed.run(pod_flags, **wanted, check_mode=True)["changed"] is True
    assert set(deployed.kubectl("get", "pods", "-o", "name").split()) == before
    result = deployed.run(pod_flags, **wanted)
    assert {f"pod/{name}" for name in result["replaced"]} == before
    assert [pod["problems"] for pod in result["pods"]] == [[], []]
    again = deployed.run(pod_flags, **wanted)
    assert (again["changed"], again["replaced"]) == (False, [])


def test_pods_are_restarted_once_for_their_flags_and_run_with_them(deployed):
    flags = deployed.run(feature_flags, flags=ON)
    stale = deployed.run(pod_flags, name=SERVICE, flags=ON)
    assert stale["failed"] is True
    assert "FEATURE_AI_AGENTS is unset instead of 'true'" in stale["msg"]
    assert len(stale["pods"]) == 2

    restart = {"name": SERVICE, "state": "restarted", "checksum": flags["checksum"]}
    assert deployed.run(rollout, **restart)["changed"] is True
    assert deployed.run(rollout, **restart)["changed"] is False
    fresh = deployed.run(pod_flags, name=SERVICE, environment=ON)
    assert [pod["problems"] for pod in fresh["pods"]] == [[], []]
