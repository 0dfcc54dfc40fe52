"""What a watch knows of a cluster whose server ends, forgets, or refuses it."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _kubernetes_client
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object, Watch
from tests.contract.rollout_place import Stage, stage
from tests.waiting import until


@pytest.fixture(scope="module")
def at(cluster) -> t.Iterator[Stage]:
    with stage(cluster, replicas=1) as made:
        yield made


@pytest.fixture
def watch(at) -> t.Iterator[Watch]:
    woken = threading.Event()
    made = at.cluster.watch("ConfigMap", woken.set, label_selector="case=watch")
    assert woken.wait(60)
    yield made
    made.close()


def config_map(name: str, value: str) -> Object:
    metadata = {"name": name, "labels": {"case": "watch"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


def values(watch: Watch) -> set[str] | None:
    known = watch.objects()
    return None if known is None else {one["data"]["v"] for one in known}


def test_it_sees_what_appears_changes_and_goes(at, watch):
    at.cluster.create("ConfigMap", config_map("a", "1"))
    until(lambda: values(watch) == {"1"})
    change = [{"op": "replace", "path": "/data/v", "value": "2"}]
    at.cluster.patch("ConfigMap", "a", change)
    until(lambda: values(watch) == {"2"})
    at.cluster.delete("ConfigMap", "a")
    until(lambda: values(watch) == set())


@pytest.mark.parametrize("fault", ["gone", "down"])
def test_it_lists_anew_what_it_missed(at, watch, fault):
    at.cluster.create("ConfigMap", config_map("b", "1"))
    until(lambda: values(watch) == {"1"})
    with at.fault(f"kubernetes.{fault}"):
        if fault == "down":
            # Whoever asks meanwhile is not told what was once true.
            until(lambda: values(watch) is None)
    at.cluster.delete("ConfigMap", "b")
    until(lambda: values(watch) == set())


def test_without_the_right_to_look_nothing_is_known(at):
    woken = threading.Event()
    with at.fault("kubernetes.forbidden", "list configmaps"):
        blind = at.cluster.watch("ConfigMap", woken.set)
        assert woken.wait(60)
        assert blind.objects() is None
        blind.close()


class Streams:
    """A server whose streams last as long as that, and then end as streams do."""

    def __init__(self, lasting: float = 0.0) -> None:
        self.lasting = lasting
        self.opened: list[float] = []
        self.ended: list[float] = []

    def list(self) -> Object:
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    def open(self, _version: str) -> Streams:
        self.opened.append(time.monotonic())
        return self

    def stream(self, _size: None, *, decode_content: bool) -> t.Iterator[bytes]:
        time.sleep(self.lasting)
        self.ended.append(time.monotonic())
        return iter(())

    def release_conn(self) -> None:
        """There is none."""


def watching(streams: Streams) -> _kubernetes_client.KubernetesWatch:
    return _kubernetes_client.KubernetesWatch(streams.list, streams.open, lambda: None)


def test_streams_that_end_at_once_are_opened_less_and_less_often():
    streams = Streams()
    watch = watching(streams)
    until(lambda: len(streams.opened) >= 4)
    time.sleep(1)
    watch.close()
    assert len(streams.opened) <= 7
    pauses = [
        after - before for before, after in zip(streams.ended, streams.opened[1:], strict=False)
    ]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=False))


def test_the_end_of_a_stream_that_lasted_costs_no_time(monkeypatch):
    """Servers end each of them after some minutes."""
    monkeypatch.setattr(_kubernetes_client, "STEADY", 0.02)
    streams = Streams(lasting=0.03)
    watch = watching(streams)
    until(lambda: len(streams.opened) >= 20)
    watch.close()
    pauses = [
        after - before for before, after in zip(streams.ended, streams.opened[1:], strict=False)
    ]
    assert sorted(pauses)[len(pauses) // 2] < 0.1
