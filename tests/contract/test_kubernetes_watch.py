"""What a watch knows of a cluster whose server ends, forgets, or refuses it."""

from __future__ import annotations

import threading
import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _kubernetes_client
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object, Watch
from tests.contract.rollout_place import Stage, stage
from tests.fakes.cluster import FakeClock
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


@pytest.mark.parametrize(
    ("lasting", "pauses"),
    [
        pytest.param(0.0, [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0], id="less-and-less-often"),
        # Servers end each of them after some minutes.
        pytest.param(_kubernetes_client.STEADY, [0.0] * 8, id="at-once-after-one-that-lasted"),
    ],
)
def test_streams_that_end_are_opened_again(lasting, pauses, monkeypatch):
    """In virtual time, until eight were opened."""
    clock, waited = FakeClock(), []

    class Closed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            clock.sleep(timeout or 0.0)
            if len(waited) > len(pauses):
                self.set()
            return self.is_set()

    class Stream:
        def stream(self, _size: None, *, decode_content: bool) -> t.Iterator[bytes]:
            clock.sleep(lasting)
            return iter(())

        def release_conn(self) -> None:
            """There is none."""

    monkeypatch.setattr(_kubernetes_client, "Event", Closed)
    monkeypatch.setattr(_kubernetes_client, "spawn", lambda work: work())
    monkeypatch.setattr(_kubernetes_client, "time", SimpleNamespace(monotonic=clock.now))
    listed = {"metadata": {"resourceVersion": "1"}, "items": []}
    _kubernetes_client.KubernetesWatch(lambda: listed, lambda _version: Stream(), lambda: None)
    assert waited[: len(pauses)] == pytest.approx(pauses)
