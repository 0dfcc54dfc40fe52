# SPDX-License-Identifier: GPL-3.0-or-later
"""One bad node and two, through the API of a cluster with three; and a release that fails on all of them."""

from __future__ import annotations

import typing as t
from functools import partial

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout import follow, task
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.evaluate import (
    Evaluation,
    Progress,
    Snapshot,
    evaluate,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import Settings
from sandbox.faults import Fault
from sandbox.world import World
from tests.contract.rollout_cluster import running_cluster
from tests.contract.rollout_place import NEW, OLD, Stage, stage
from tests.integration.conftest import Place
from tests.waiting import until

# The old pods stand on the first two, so that the first new one comes to the third.
FIRST, SECOND, THIRD = "sandbox-node", "sandbox-node-2", "sandbox-node-3"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    with running_cluster(tmp_path_factory.mktemp("quorum"), nodes=3) as world:
        yield world


@pytest.fixture
def nodes(cluster: World) -> World:
    """With room as the tests take it: pods of the one before that are ending would keep their places."""
    place = Place(cluster.facts("kubernetes")["kubeconfig"], "default")
    until(lambda: not place.kubectl("get", "pods", "--all-namespaces", "-o", "name"), 40)
    return cluster


@pytest.fixture
def at(nodes: World) -> t.Iterator[Stage]:
    with stage(nodes, replicas=2) as made:
        yield made


def break_nodes(at: Stage, *names: str) -> None:
    at.faults.write([Fault("node", "node-bad", name) for name in names])


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Snapshot, Evaluation]]:
    """What was seen and what was made of it, look by look."""
    seen: list[tuple[Snapshot, Evaluation]] = []

    def judged(course: Progress, look: Snapshot, now: float) -> tuple[Progress, Evaluation]:
        further, verdict = evaluate(course, look, now)
        seen.append((look, verdict))
        return further, verdict

    monkeypatch.setattr(follow, "evaluate", judged)
    return seen


def test_one_bad_node_does_not_fail_a_release(
    at: Stage, verdicts: list[tuple[Snapshot, Evaluation]]
) -> None:
    break_nodes(at, THIRD)
    result = at.roll()
    assert result["result"] == "succeeded", result
    assert at.image == NEW
    nodes = at.kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert THIRD not in nodes
    assert any(verdict.replace for _look, verdict in verdicts)


def test_two_bad_nodes_do(at: Stage, verdicts: list[tuple[Snapshot, Evaluation]]) -> None:
    break_nodes(at, THIRD, FIRST)
    result = at.roll()
    assert (result["result"], result["reason"]) == ("rolled_back", "CannotStart"), result
    assert at.image == OLD
    seen = {pod.node for look, _verdict in verdicts for pod in look.pods or ()}
    assert {FIRST, THIRD} <= seen


def test_for_any_one_bad_node_is_enough(
    at: Stage, verdicts: list[tuple[Snapshot, Evaluation]]
) -> None:
    break_nodes(at, THIRD)
    result = at.roll(quorum="any")
    assert (result["result"], result["reason"]) == ("rolled_back", "CannotStart"), result
    assert not any(verdict.replace for _look, verdict in verdicts)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [((THIRD,), "Stalled"), ((FIRST, SECOND, THIRD), "CannotStart")],
    ids=["one-stalls", "all-of-them-doom"],
)
def test_for_all_every_new_pod_must_fail(
    nodes: World, monkeypatch: pytest.MonkeyPatch, bad: tuple[str, ...], reason: str
) -> None:
    # Its own deadline would give the controller's word first.
    impatient = partial(Settings, stall_timeout=6)
    monkeypatch.setattr(task, "Settings", impatient)
    with stage(nodes, replicas=2, strategy={"rollingUpdate": {"maxSurge": 2}}) as at:
        break_nodes(at, *bad)
        result = at.roll(quorum="all")
    assert (result["result"], result["reason"]) == ("rolled_back", reason), result


def test_a_lone_crash_loop_is_called_at_the_first_crash_of_a_fresh_pod_elsewhere(
    at: Stage, verdicts: list[tuple[Snapshot, Evaluation]]
) -> None:
    result = at.roll(f"{NEW}-crash")
    assert (result["result"], result["reason"]) == ("rolled_back", "CrashLoop"), result
    ended = next(number for number, (_look, verdict) in enumerate(verdicts) if verdict.replace)
    first = {pod.uid for pod in verdicts[ended][0].pods or ()}
    crashed = [
        verdict.outcome
        for look, verdict in verdicts[ended:]
        for pod in look.pods or ()
        if pod.uid not in first
        and not pod.deleting
        and any(one.restarts or one.state == "terminated" for one in pod.containers)
    ]
    assert crashed[0] == "failing", crashed
