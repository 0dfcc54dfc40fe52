import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FENCE_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import decide_flags
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import (
    FlagsMap,
    FlagsPlan,
    Wish,
    checksum,
    plan_flags,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.values import to_values
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import FRESH, LeaseCheck
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from tests.fakes.cluster import MemoryCluster
from tests.fakes.lock import NAME, Scene

PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
KUBECTL = "kubectl-client-side-apply"


def cluster_with(data: dict[str, str], manager: str = KUBECTL) -> MemoryCluster:
    cluster = MemoryCluster()
    fields = {"f:data": {f"f:{key}": {} for key in data}}
    entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
    metadata = {"name": "feature-flags", "managedFields": [entry]}
    cluster.put("ConfigMap", {"metadata": metadata, "data": data})
    return cluster


def change(cluster: MemoryCluster, flags: dict[str, str | None], **options: t.Any) -> FlagsPlan:
    wish = Wish(flags, options.pop("annotations", {}), options.pop("fence", 0))
    settings = {"check_mode": False, **options}
    return decide_flags(cluster, "feature-flags", lambda _observed: wish, **settings)


def data_of(cluster: MemoryCluster) -> dict[str, str]:
    return cluster.objects["ConfigMap", "feature-flags"]["data"]


def annotations_of(cluster: MemoryCluster) -> dict[str, str]:
    body = cluster.objects["ConfigMap", "feature-flags"]
    return body["metadata"].get("annotations") or {}


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), ("on", "on"), (None, None)]
)
def test_values_become_what_an_environment_holds(value, text):
    assert to_values({"FLAG": value}, {}) == {"FLAG": text}


@pytest.mark.parametrize(
    ("flags", "bounds", "message"),
    [
        ({"feature-x": True}, {}, "'feature-x', which is not an environment variable"),
        ({"1X": True}, {}, "not an environment variable"),
        ({"X": 1.5}, {}, "X is 1.5, a float"),
        ({"X": [1]}, {}, "a list"),
        ({"X": "True"}, {}, "write true"),
        ({PERCENTAGE: 101}, {PERCENTAGE: [0, 100]}, "is 101: it must be an integer from 0 to 100"),
        ({PERCENTAGE: "-1"}, {PERCENTAGE: [0, 100]}, "is '-1'"),
        ({PERCENTAGE: True}, {PERCENTAGE: [0, 100]}, "is True"),
        ({PERCENTAGE: "ten"}, {PERCENTAGE: [0, 100]}, "is 'ten'"),
        ({PERCENTAGE: 1}, {PERCENTAGE: [100, 0]}, "the lower first"),
        ({PERCENTAGE: 1.5}, {PERCENTAGE: [0, 100]}, "is 1.5"),
        ({PERCENTAGE: "07"}, {PERCENTAGE: [0, 100]}, "is '07'"),
        ({PERCENTAGE: " 7"}, {PERCENTAGE: [0, 100]}, "is ' 7'"),
        ({PERCENTAGE: "٣"}, {PERCENTAGE: [0, 100]}, "must be an integer"),
        ({"A": "a\nB=b"}, {}, "a text of one line"),
        ({}, {"x": [0, 1]}, "'bounds' has 'x'"),
    ],
)
def test_what_the_platform_would_misread_is_refused(flags, bounds, message):
    with pytest.raises(InputError, match=message):
        to_values(flags, bounds)


def test_a_flag_may_be_one_of_its_choices_alone():
    choices = {"A": [True, False], "LEVEL": ["info", "debug"]}
    assert to_values({"A": False, "LEVEL": "info"}, {}, choices) == {"A": "false", "LEVEL": "info"}
    for flags, message in (
        ({"A": "yes"}, "A is 'yes': it must be one of true, false"),
        ({"LEVEL": "trace"}, "one of info, debug"),
    ):
        with pytest.raises(InputError, match=message):
            to_values(flags, {}, choices)
    with pytest.raises(InputError, match="must be a list"):
        to_values({"A": True}, {}, {"A": "true"})
    with pytest.raises(InputError, match="'choices' has 'a-b'"):
        to_values({}, {}, {"a-b": ["x"]})


def test_a_missing_config_map_is_made():
    cluster = MemoryCluster()
    plan = change(cluster, {"FEATURE_AI_AGENTS": "true"})
    assert plan.changed
    assert data_of(cluster) == {"FEATURE_AI_AGENTS": "true"}
    assert plan.checksum == checksum(data_of(cluster))


def test_a_second_run_writes_nothing():
    cluster = MemoryCluster()
    change(cluster, {"A": "true"})
    cluster.writes.clear()
    assert not change(cluster, {"A": "true"}).changed
    assert cluster.writes == []


def test_flags_that_are_not_named_stay_ours_and_stay_set():
    cluster = MemoryCluster()
    change(cluster, {"A": "true", PERCENTAGE: "10"})
    change(cluster, {"A": "false"})
    assert data_of(cluster) == {"A": "false", PERCENTAGE: "10"}


def test_annotations_are_written_kept_and_taken_out_with_the_flags():
    cluster = cluster_with({"A": "true"})
    theirs = cluster.objects["ConfigMap", "feature-flags"]
    theirs["metadata"]["annotations"] = {"their/note": "x"}
    change(cluster, {"A": "false"}, annotations={"our/one": "1", "our/two": "2"})
    assert annotations_of(cluster) == {"their/note": "x", "our/one": "1", "our/two": "2"}
    change(cluster, {"A": "true"})
    assert annotations_of(cluster) == {"their/note": "x", "our/one": "1", "our/two": "2"}
    for gone in ("our/one", "their/note"):
        assert change(cluster, {}, annotations={gone: None}).changed
        assert gone not in annotations_of(cluster)
        assert not change(cluster, {}, annotations={gone: None}).changed
    assert annotations_of(cluster) == {"our/two": "2"}
    assert data_of(cluster) == {"A": "true"}


def test_flags_carry_the_epoch_which_is_no_change_and_stays_without_a_lock():
    cluster = cluster_with({"A": "true"})
    for fence, writes in ((3, True), (3, False), (4, True)):
        cluster.writes.clear()
        plan = change(cluster, {"A": "true"}, fence=fence)
        assert (plan.changed, bool(cluster.writes)) == (False, writes)
        assert annotations_of(cluster) == {FENCE_ANNOTATION: str(fence)}
    assert change(cluster, {"A": "false"}).changed
    assert annotations_of(cluster) == {FENCE_ANNOTATION: "4"}


def test_flags_that_a_later_holder_wrote_take_no_write_of_an_earlier_one():
    cluster = cluster_with({"A": "false"})
    change(cluster, {"A": "false"}, fence=4)
    cluster.writes.clear()
    with pytest.raises(LeaseLostError, match="epoch 4, ours is 3"):
        change(cluster, {"A": "true"}, fence=3)
    assert cluster.writes == []


def test_flags_that_a_later_holder_writes_at_that_moment_stay_its():
    """Between our look and our write."""
    cluster = cluster_with({"A": "false"})
    cluster.before_write = lambda: change(cluster, {"A": "false"}, fence=4)
    with pytest.raises(LeaseLostError):
        change(cluster, {"A": "true"}, fence=3)
    assert data_of(cluster) == {"A": "false"}


def test_an_immutable_config_map_is_told():
    cluster = cluster_with({"A": "true"})
    cluster.objects["ConfigMap", "feature-flags"]["immutable"] = True
    with pytest.raises(ConflictError, match="is immutable"):
        change(cluster, {"A": "false"})
    assert cluster.writes == []


def test_another_managers_flag_is_taken_over_by_name():
    cluster = cluster_with({"A": "true", "B": "true"})
    plan = change(cluster, {"A": "false"})
    assert plan.overruled == (KUBECTL,)
    assert data_of(cluster) == {"A": "false", "B": "true"}
    assert change(cluster, {"A": "false"}).overruled == ()


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "theirs"])
def test_null_takes_a_flag_out_whoever_set_it(ours):
    cluster = MemoryCluster() if ours else cluster_with({"A": "true", "B": "1"})
    if ours:
        change(cluster, {"A": "true", "B": "1"})
    assert change(cluster, {"A": None}).changed
    assert data_of(cluster) == {"B": "1"}
    assert not change(cluster, {"A": None}).changed


def test_a_write_in_between_is_not_lost():
    cluster = cluster_with({"A": "true"})

    def interfere() -> None:
        body = cluster.read("ConfigMap", "feature-flags")
        assert body is not None
        cluster.put("ConfigMap", {**body, "data": {**body["data"], "THEIRS": "1"}})

    cluster.before_write = interfere
    change(cluster, {"A": "false"})
    assert data_of(cluster) == {"A": "false", "THEIRS": "1"}


def test_whoever_lost_the_deploy_lock_sets_no_flag():
    scene = Scene()
    fence = scene.locking(scene.claim()).hold().after.fence
    guard = LeaseCheck(scene.cluster, NAME, fence, clock=scene.clock, wall=scene.wall)
    change(scene.cluster, {"A": "true"}, guard=guard)
    scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    scene.clock.sleep(FRESH)
    before = scene.cluster.writes.copy()
    with pytest.raises(LeaseLostError):
        change(scene.cluster, {"A": "false"}, guard=guard)
    assert scene.cluster.writes == before


def test_check_mode_predicts_without_writing():
    cluster = cluster_with({"A": "true"})
    plan = change(cluster, {"A": "false"}, check_mode=True)
    assert (plan.changed, dict(plan.after)) == (True, {"A": "false"})
    assert data_of(cluster) == {"A": "true"}
    assert cluster.writes == []


def test_who_only_looks_makes_no_config_map():
    """The guard, and a ramp that has nothing to do, where a platform has no flags yet."""
    nothing = plan_flags(FlagsMap.from_json("feature-flags", None), {})
    assert (nothing.changed, nothing.writes) == (False, False)
    assert plan_flags(FlagsMap.from_json("feature-flags", None), {"A": "true"}).changed
