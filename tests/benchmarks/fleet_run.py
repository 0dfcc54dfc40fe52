# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolls many services in waves, by the rollout's own code in one process, and prints what it took as JSON.

Three pods each, on as many nodes as they need: 60 services, or as many as EASYMO_FLEET says.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched
from pathlib import Path

from kubernetes.client.rest import RESTClientObject

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    observe_deployment,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import Wanted
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.roll import (
    Rollout,
    Settings,
)
from tests.contract.rollout_cluster import NAMESPACE, SERVICE, deployment, running_cluster

SERVICES = int(os.environ.get("EASYMO_FLEET", "60"))
WAVE = 50
PODS_PER_NODE = 110
# Three pods a service; in a wave each has one more that comes and one that goes.
NODES = -(-(3 * SERVICES + 2 * WAVE) // PODS_PER_NODE)
WITHIN = 600.0


def main() -> None:
    names = [f"service-{number}" for number in range(SERVICES)]
    with (
        tempfile.TemporaryDirectory(prefix="easymo-fleet-") as folder,
        running_cluster(Path(folder), nodes=NODES, pods_per_node=PODS_PER_NODE) as world,
    ):
        facts = world.facts("kubernetes")
        connection = Connection(namespace=NAMESPACE, kubeconfig=facts["kubeconfig"])
        cluster = KubernetesCluster(connection)
        for name in names:
            cluster.create("Deployment", _named(name))
        _wait_until_complete(cluster, names)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with _counted_requests() as asked:
            began = time.monotonic()
            waves = [_roll(connection, wave) for wave in batched(names, WAVE, strict=False)]
            wall = time.monotonic() - began
    critical = sum(max(wave) for wave in waves)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "services": SERVICES,
        "wave": WAVE,
        "nodes": NODES,
        "critical": critical,
        "wall": wall,
        "requests": len(asked) / SERVICES,
        "memory": peak / 1024,
        "rollouts_memory": (peak - before) / 1024,
    }
    print(json.dumps(found))


def _named(name: str) -> dict[str, t.Any]:
    body = deployment(f"easymo/{SERVICE}:v1.9.0", deadline=600)
    labels = {"app": name}
    body["metadata"].update(name=name, labels=labels)
    body["spec"]["selector"]["matchLabels"] = labels
    body["spec"]["template"]["metadata"]["labels"] = labels
    body["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return body


def _wait_until_complete(cluster: KubernetesCluster, names: t.Sequence[str]) -> None:
    end = time.monotonic() + WITHIN
    for name in names:
        while not observe_deployment(cluster, name).complete:
            if time.monotonic() > end:
                raise SystemExit(f"{name} was not complete within {WITHIN:.0f} s")
            time.sleep(0.5)


def _roll(connection: Connection, names: t.Sequence[str]) -> list[float]:
    with ThreadPoolExecutor(len(names)) as pool:
        return [*pool.map(lambda name: _rolled(connection, name), names)]


def _rolled(connection: Connection, name: str) -> float:
    began = time.monotonic()
    rollout = Rollout(
        KubernetesCluster(connection),
        name,
        Wanted(state="released", container=SERVICE, image=f"easymo/{SERVICE}:v2.0.0"),
        None,
        settings=Settings(wait_timeout=WITHIN),
        clock=MonotonicClock(),
        report=lambda _text, _counts: None,
    )
    rollout.carry_out(rollout.plan())
    return time.monotonic() - began


@contextmanager
def _counted_requests() -> t.Iterator[list[str]]:
    request = RESTClientObject.request
    asked: list[str] = []

    def counted(client: t.Any, method: str, url: str, **arguments: t.Any) -> t.Any:
        asked.append(f"{method} {url}")
        return request(client, method, url, **arguments)

    RESTClientObject.request = counted
    try:
        yield asked
    finally:
        RESTClientObject.request = request


if __name__ == "__main__":
    main()
