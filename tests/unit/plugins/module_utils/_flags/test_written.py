"""What was written may be changed again while pods are brought to it."""

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _delivery
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import ASK_EVERY, Written
from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import (
    REACHED,
    STALE,
    PodState,
)
from tests.fakes.cluster import FakeClock, MemoryCluster

OFF = {"FEATURE_AI": "false", "FEATURE_PERCENTAGE": "0"}
ON = {"FEATURE_AI": "true", "FEATURE_PERCENTAGE": "10"}


def cluster_with(data: t.Mapping[str, str]) -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.put("ConfigMap", {"metadata": {"name": "feature-flags"}, "data": dict(data)})
    return cluster


def pod_with(values: t.Mapping[str, str], state: str = STALE) -> PodState:
    return PodState("web-1", "1", state, ready=True, values=values)


@pytest.mark.parametrize(
    ("data", "changed", "helps"),
    [
        pytest.param(OFF, (), True, id="as it was written"),
        pytest.param({**OFF, "FEATURE_OTHER": "true"}, (), True, id="another flag"),
        pytest.param({**OFF, "FEATURE_PERCENTAGE": "7"}, ("FEATURE_PERCENTAGE",), True, id="half"),
        pytest.param(ON, ("FEATURE_AI", "FEATURE_PERCENTAGE"), False, id="the opposite"),
        pytest.param({}, ("FEATURE_AI", "FEATURE_PERCENTAGE"), False, id="none of them"),
    ],
)
def test_a_pod_is_worth_replacing_while_something_that_it_lacks_still_stands(data, changed, helps):
    written = Written(cluster_with(data), "feature-flags", OFF, FakeClock())

    assert written.changed() == changed
    assert written.helps(pod_with(ON)) is helps
    assert written.helps(pod_with(OFF, REACHED))


def test_it_is_asked_anew_after_a_while_only():
    cluster, clock = cluster_with(OFF), FakeClock()
    written = Written(cluster, "feature-flags", OFF, clock)
    assert written.helps(pod_with(ON))
    cluster.put("ConfigMap", {"metadata": {"name": "feature-flags"}, "data": ON})

    assert written.helps(pod_with(ON))
    clock.sleep(ASK_EVERY)
    assert not written.helps(pod_with(ON))


def test_what_cannot_be_read_is_not_known_to_be_changed(monkeypatch):
    cluster = cluster_with(ON)

    def fail(*_arguments: object) -> None:
        raise UnreachableError("Could not read ConfigMap 'feature-flags'.")

    monkeypatch.setattr(cluster, "read", fail)
    assert Written(cluster, "feature-flags", OFF, FakeClock()).helps(pod_with(ON))
    assert Written(cluster, "", OFF, FakeClock()).changed() == ()


def test_pods_of_an_undo_that_read_what_was_given_up_are_restarted_again(monkeypatch):
    restarts: list[str] = []

    def prove(*_arguments: t.Any, **_patience: t.Any) -> None:
        if "" not in restarts:
            raise UnreachableError("They run with other flags.")

    def roll(module: t.Any) -> dict[str, t.Any]:
        restarts.append(module.params["checksum"])
        return {"changed": False}

    monkeypatch.setattr(_delivery, "roll_one", roll)
    monkeypatch.setattr(_delivery.FlagsDelivery, "_prove", prove)
    given = {"name": "f", "consumers": ["web"], "delivery": "environment", "probe": None}
    module: t.Any = SimpleNamespace(params={**given, "wait_timeout": 60}, check_mode=False)
    written = _delivery.WrittenFlags(OFF, "of before", changed=True)
    assert _delivery.FlagsDelivery(module).bring_back(written) == ""
    assert restarts == ["of before", ""]
