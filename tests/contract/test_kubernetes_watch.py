# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watch knows of a cluster whose server ends, forgets, or refuses it."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object, Watch
from sandbox.world import World
from tests.contract.rollout_cluster import running_cluster
from tests.contract.rollout_place import Stage, stage
from tests.integration.conftest import until


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Stage]:
    with running_cluster(tmp_path_factory.mktemp("watch")) as world, staged(world) as made:
        yield made


def staged(world: World) -> t.ContextManager[Stage]:
    return stage(world, replicas=1)


@pytest.fixture
def watch(at: Stage) -> t.Iterator[Watch]:
    woken = threading.Event()
    made = at.cluster.watch("ConfigMap", woken.set, label_selector="case=watch")
    assert woken.wait(10)
    yield made
    made.close()


def config_map(name: str, value: str) -> Object:
    metadata = {"name": name, "labels": {"case": "watch"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


def values(watch: Watch) -> set[str] | None:
    known = watch.objects()
    return None if known is None else {one["data"]["v"] for one in known}


def test_it_sees_what_appears_changes_and_goes(at: Stage, watch: Watch) -> None:
    at.cluster.create("ConfigMap", config_map("a", "1"))
    until(lambda: values(watch) == {"1"}, 5)
    change = [{"op": "replace", "path": "/data/v", "value": "2"}]
    at.cluster.patch("ConfigMap", "a", change)
    until(lambda: values(watch) == {"2"}, 5)
    at.cluster.delete("ConfigMap", "a")
    until(lambda: values(watch) == set(), 5)


@pytest.mark.parametrize("fault", ["gone", "down"])
def test_it_lists_anew_what_it_missed(at: Stage, watch: Watch, fault: str) -> None:
    at.cluster.create("ConfigMap", config_map("b", "1"))
    until(lambda: values(watch) == {"1"}, 5)
    with at.fault(f"kubernetes.{fault}"):
        if fault == "down":
            # Whoever asks meanwhile is not told what was once true.
            until(lambda: values(watch) is None, 5)
    at.cluster.delete("ConfigMap", "b")
    until(lambda: values(watch) == set(), 10)


def test_without_the_right_to_look_nothing_is_known(at: Stage) -> None:
    woken = threading.Event()
    with at.fault("kubernetes.forbidden", "list configmaps"):
        blind = at.cluster.watch("ConfigMap", woken.set)
        assert woken.wait(10)
        assert blind.objects() is None
        blind.close()
