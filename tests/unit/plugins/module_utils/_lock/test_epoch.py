"""Which epoch an object carries, and that none of an earlier one is written over it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FENCE_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    LeaseLostError,
    epoch_in,
    fence_of,
    leave_epoch,
    refuse_later,
)
from tests.fakes.cluster import MemoryCluster


def cluster_with(annotations: dict[str, str] | None) -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.put(
        "ConfigMap", {"metadata": {"name": "x", "annotations": annotations}, "data": {"A": "1"}}
    )
    return cluster


@pytest.mark.parametrize(
    ("annotations", "epoch"),
    [({}, 0), ({FENCE_ANNOTATION: "12"}, 12), ({FENCE_ANNOTATION: "soon"}, 0)],
)
def test_what_no_holder_of_the_lock_wrote_has_no_epoch(annotations, epoch):
    assert epoch_in(annotations) == epoch
    assert fence_of({"metadata": {}}) == 0


def test_what_a_later_holder_wrote_is_refused_and_without_a_lock_nothing_is():
    for written, ours in ((0, 4), (4, 4), (9, 0)):
        refuse_later("ConfigMap 'x'", written, ours)
    with pytest.raises(LeaseLostError, match=r"'x' was written under .* \(epoch 5, ours is 4\)"):
        refuse_later("ConfigMap 'x'", 5, 4)


@pytest.mark.parametrize("before", [None, {"their/note": "x"}, {FENCE_ANNOTATION: "3"}])
def test_an_epoch_is_left_once_and_nothing_else_changes(before):
    cluster = cluster_with(before)
    leave_epoch(cluster, "x", 4)
    body = cluster.objects["ConfigMap", "x"]
    assert body["metadata"]["annotations"] == {**(before or {}), FENCE_ANNOTATION: "4"}
    assert body["data"] == {"A": "1"}
    cluster.writes.clear()
    leave_epoch(cluster, "x", 4)
    leave_epoch(cluster, "absent", 4)
    assert cluster.writes == []
    with pytest.raises(LeaseLostError):
        leave_epoch(cluster, "x", 3)


def test_an_epoch_is_left_beside_others_who_write_and_not_for_ever():
    cluster, left = cluster_with(None), [2]

    def theirs() -> None:
        if left[0]:
            left[0] -= 1
            cluster.put("ConfigMap", {"metadata": {"name": "x"}, "data": {"A": str(left[0])}})
        cluster.before_write = theirs

    cluster.before_write = theirs
    leave_epoch(cluster, "x", 4)
    body: t.Any = cluster.objects["ConfigMap", "x"]
    assert (body["data"], fence_of(body)) == ({"A": "0"}, 4)
    left[0] = 99
    with pytest.raises(ConflictError, match="something else keeps writing"):
        leave_epoch(cluster, "x", 5)
