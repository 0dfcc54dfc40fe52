"""Rolls services in waves by the rollout's own code, in a process that does nothing else.

Reads what to roll as JSON from its standard input, and prints what it took.
"""

import json
import resource
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from kubernetes.client.rest import RESTClientObject

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import lease_check_for
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import RolloutRequest
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import Rollout

WITHIN = 600.0


def main() -> None:
    order = json.load(sys.stdin)
    connection = Connection(namespace=order["namespace"], kubeconfig=order["kubeconfig"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _counted_requests() as asked:
        began = time.monotonic()
        waves = [_roll(connection, wave, order["image"]) for wave in order["waves"]]
        wall = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "critical": sum(max(wave) for wave in waves),
        "wall": wall,
        "requests": len(asked),
        "memory": peak / 1024,
        "rollouts_memory": (peak - before) / 1024,
    }
    print(json.dumps(found))


def _roll(connection: Connection, names: t.Sequence[str], image: str) -> list[float]:
    with ThreadPoolExecutor(len(names)) as pool:
        return [*pool.map(lambda name: _rolled(connection, name, image), names)]


def _rolled(connection: Connection, name: str, image: str) -> float:
    began = time.monotonic()
    cluster, clock = KubernetesCluster(connection), MonotonicClock()
    rollout = Rollout(
        cluster,
        name,
        RolloutRequest(state="released", container=name, image=image, wait_timeout=WITHIN),
        None,
        clock=clock,
        report=lambda _text, _counts: None,
        guard=lease_check_for(cluster, 0, clock=clock),
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
