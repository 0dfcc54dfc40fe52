"""Flags in a real ConfigMap, and in the containers that read it."""

import json
import typing as t

from ansible_collections.easymo.deploy.plugins.modules import feature_flags, rollout
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
    result = place.run(feature_flags, flags={"FEATURE_AI_AGENTS": False})
    assert result["overruled"] == ["kubectl-client-side-apply"]
    assert data_of(place) == {"FEATURE_AI_AGENTS": "false"}


def test_a_value_out_of_bounds_touches_nothing(place):
    result = place.run(feature_flags, flags={PERCENTAGE: 101}, bounds={PERCENTAGE: [0, 100]})
    assert f"{PERCENTAGE} is 101" in result["msg"]
    assert place.kubectl("get", "configmap", "feature-flags", "--ignore-not-found") == ""


def test_pods_are_restarted_once_for_their_flags_and_run_with_them(deployed):
    flags = deployed.run(feature_flags, flags=ON)
    wanted = {"state": "proven", "consumers": [SERVICE], "flags": ON}
    stale = deployed.run(feature_flags, **wanted)
    assert (stale["failed"], stale["reason"]) == (True, "VerificationFailed")
    assert "FEATURE_AI_AGENTS is unset instead of 'true'" in stale["msg"]
    assert "2 of 2 pods" in stale["msg"]

    restart = {"name": SERVICE, "state": "restarted", "checksum": flags["checksum"]}
    assert deployed.run(rollout, **restart)["changed"] is True
    assert deployed.run(rollout, **restart)["changed"] is False
    fresh = deployed.run(feature_flags, **wanted)["consumers"][SERVICE]
    assert [pod["problems"] for pod in fresh["pods"]] == [[], []]
