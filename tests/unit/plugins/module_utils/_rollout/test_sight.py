# SPDX-License-Identifier: GPL-3.0-or-later
"""How often new pods are looked at: often while that costs nothing, sparingly while each look is a request."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.sight import Sight
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller


class SeeingWatch:
    def __init__(self, cluster: MemoryCluster, kind: str) -> None:
        self._cluster = cluster
        self._kind = kind

    def objects(self) -> t.Sequence[Object]:
        return [body for (kind, _name), body in self._cluster.objects.items() if kind == self._kind]

    def close(self) -> None:
        return


class WatchedCluster(MemoryCluster):
    def watch(self, kind: str, wake: t.Callable[[], None], **selectors: str) -> t.Any:
        return SeeingWatch(self, kind)


@pytest.mark.parametrize(
    ("cluster", "looks", "requests"),
    [
        pytest.param(WatchedCluster(), 10, 1, id="watched, once the server was asked"),
        pytest.param(MemoryCluster(), 5, 5, id="asked"),
    ],
)
def test_pods_are_looked_at_every_second_while_a_watch_shows_them_and_every_two_when_asked_for(
    cluster: MemoryCluster, looks: int, requests: int
) -> None:
    clock = FakeClock()
    controller = Controller(cluster, "easymo/wallet-service:v1.9.0")
    container = cluster.objects["Deployment", NAME]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "easymo/wallet-service:v2.0.0-unready"
    controller.tick()
    deployment = Deployment.from_json(cluster.objects["Deployment", NAME])
    cluster.requests.clear()
    with Sight(cluster, deployment, clock=clock, deadline=1000.0) as sight:
        seen = 0
        for _half_second in range(20):
            seen += sight.look(deployment.generation).pods is not None
            clock.sleep(0.5)
    assert (seen, cluster.requests.count("list Pod")) == (looks, requests)
