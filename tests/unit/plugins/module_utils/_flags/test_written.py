"""What was written may be changed again while pods are brought to it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import (
    ASK_EVERY,
    Written,
)
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
def test_a_pod_is_worth_replacing_while_something_that_it_lacks_still_stands(
    data: dict[str, str], changed: tuple[str, ...], helps: bool
) -> None:
    written = Written(cluster_with(data), "feature-flags", OFF, FakeClock())

    assert written.changed() == changed
    assert written.helps(pod_with(ON)) is helps
    assert written.helps(pod_with(OFF, REACHED))


def test_it_is_asked_anew_after_a_while_only() -> None:
    cluster, clock = cluster_with(OFF), FakeClock()
    written = Written(cluster, "feature-flags", OFF, clock)
    assert written.helps(pod_with(ON))
    cluster.put("ConfigMap", {"metadata": {"name": "feature-flags"}, "data": ON})

    assert written.helps(pod_with(ON))
    clock.sleep(ASK_EVERY)
    assert not written.helps(pod_with(ON))


def test_what_cannot_be_read_is_not_known_to_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = cluster_with(ON)

    def fail(*_arguments: object) -> None:
        raise UnreachableError("Could not read ConfigMap 'feature-flags'.")

    monkeypatch.setattr(cluster, "read", fail)
    assert Written(cluster, "feature-flags", OFF, FakeClock()).helps(pod_with(ON))
    assert Written(cluster, "", OFF, FakeClock()).changed() == ()
