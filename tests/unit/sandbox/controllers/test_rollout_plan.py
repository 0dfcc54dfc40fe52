"""The arithmetic of rollouts: fenceposts, the next sizes, proportional scaling."""

import typing as t

import pytest

from sandbox.kubernetes.controllers import rollout_plan
from sandbox.kubernetes.controllers.rollout_plan import Scale

Object = dict[str, t.Any]


def deployment(replicas: int, **strategy: object) -> Object:
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%", **strategy}
    return {
        "metadata": {"name": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        },
        "status": {},
    }


def replica_set(
    name: str, size: int, available: int = 0, *, born: str = "1", desired: int = 0, most: int = 0
) -> Object:
    notes = {rollout_plan.DESIRED: str(desired), rollout_plan.MAXIMUM: str(most)} if most else {}
    return {
        "metadata": {"name": name, "creationTimestamp": born, "annotations": notes},
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (3, "25%", "25%", (1, 0)),
        (4, "25%", "25%", (1, 1)),
        (5, "25%", "25%", (2, 1)),
        (10, "30%", "30%", (3, 3)),
        (3, 1, 0, (1, 0)),
        (3, 0, 1, (0, 1)),
        (1, "0%", "25%", (0, 1)),  # both come to nothing: one may be unavailable
        (3, "100%", "0%", (3, 0)),
        (0, "25%", "25%", (0, 1)),
    ],
)
def test_surge_rounds_up_and_unavailability_down(replicas, surge, unavailable, expected):
    wanted = deployment(replicas, maxSurge=surge, maxUnavailable=unavailable)

    assert rollout_plan.fenceposts(wanted) == expected


def test_new_pods_fill_the_room_that_surge_leaves():
    old, new = replica_set("old", 3, 3), replica_set("new", 1)

    assert rollout_plan.plan_new(deployment(3), new, [old, new]) == []
    assert rollout_plan.plan_new(deployment(3, maxSurge=2), new, [old, new]) == [Scale("new", 2)]


def test_a_new_set_that_is_too_big_shrinks():
    new = replica_set("new", 5, 5)

    assert rollout_plan.plan_new(deployment(3), new, [new]) == [Scale("new", 3)]


@pytest.mark.parametrize(
    ("new", "old", "size"),
    [
        (replica_set("new", 1, 0), replica_set("old", 3, 3), 3),
        (replica_set("new", 1, 1), replica_set("old", 3, 3), 2),
        (replica_set("good", 3, 3), replica_set("bad", 1, 0, born="2"), 0),
        (replica_set("new", 0), replica_set("old", 4, 3), 3),
    ],
    ids=["no new one is available", "one is", "an undo of a bad release", "one was not available"],
)
def test_old_pods_go_as_availability_allows_and_unavailable_ones_first(new, old, size):
    name = old["metadata"]["name"]
    expected = [] if size == old["spec"]["replicas"] else [Scale(name, size)]

    assert rollout_plan.plan_old(deployment(3), new, [old]) == expected


def test_a_single_set_takes_the_whole_change_of_size():
    only = replica_set("only", 3, 3, desired=3, most=4)

    assert rollout_plan.scaling_event(deployment(5), [only])
    assert rollout_plan.plan_scale(deployment(5), only, []) == [Scale("only", 5)]


def test_a_change_of_size_during_a_rollout_is_spread_in_proportion():
    old = replica_set("old", 8, 8, born="1", desired=10, most=13)
    new = replica_set("new", 5, 3, born="2", desired=10, most=13)

    plan = dict(rollout_plan.plan_scale(deployment(20), new, [old]))

    assert sum(plan.values()) == 25
    assert plan == {"old": 15, "new": 10}


def test_scaling_to_nothing_empties_every_set():
    old = replica_set("old", 2, 2, desired=3, most=4)
    new = replica_set("new", 2, 1, born="2", desired=3, most=4)

    assert dict(rollout_plan.plan_scale(deployment(0), new, [old])) == {"old": 0, "new": 0}


def test_a_rollout_never_passes_its_fenceposts():
    """Play a whole rollout: each step within bounds, and it ends."""
    wanted = deployment(4)
    old, new = replica_set("old", 4, 4), replica_set("new", 0, born="2")
    for _ in range(20):
        plan = rollout_plan.plan_new(wanted, new, [old, new]) or rollout_plan.plan_old(
            wanted, new, [old]
        )
        for scale in plan:
            entry = old if scale.name == "old" else new
            entry["spec"]["replicas"] = scale.size
            counted = entry["status"]["availableReplicas"]
            entry["status"]["availableReplicas"] = min(counted, scale.size)
        assert rollout_plan.total([old, new]) <= 5
        assert rollout_plan.total_status([old, new], "availableReplicas") >= 3
        if not plan and new["status"]["availableReplicas"] < new["spec"]["replicas"]:
            new["status"]["availableReplicas"] += 1
    assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 4)
