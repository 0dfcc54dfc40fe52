"""A small cluster for contract tests: API server, controllers and node as processes, nothing else."""

import asyncio
import subprocess
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

from sandbox.component import Component
from sandbox.kubernetes.component import COMPONENT as KUBERNETES
from sandbox.node.client import Client
from sandbox.node.component import COMPONENT as NODE
from sandbox.world import World

Object = dict[str, t.Any]

NAMESPACE = "easymo-prod"
SERVICE = "wallet-service"
REPOSITORY = Path(__file__).resolve().parents[2]
READY_WITHIN = 120.0


@contextmanager
def running_cluster(
    folder: Path, *, nodes: int = 1, pods_per_node: int = 250, kubelet_sync: int = 60
) -> t.Iterator[World]:
    world, processes = World(folder), []
    with world.changing() as state:
        state["options"] = {
            "nodes": nodes,
            "pods_per_node": pods_per_node,
            "kubelet_sync": kubelet_sync,
        }
    try:
        for component in (KUBERNETES, NODE):
            processes.append(_started(component, world))
        yield world
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=60)


def _started(component: Component, world: World) -> subprocess.Popen[bytes]:
    component.prepare(world)
    with (world.folder(component.name) / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            component.process(world).argv, stdout=log, stderr=log, cwd=REPOSITORY
        )
    deadline = time.monotonic() + READY_WITHIN
    while not _ready(component, world):
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            log_text = (world.folder(component.name) / "log.txt").read_text(encoding="utf-8")
            raise RuntimeError(f"{component.name} did not become ready: {log_text[-2000:]}")
        time.sleep(0.05)
    world.publish(component.name, component.facts(world))
    return process


def _ready(component: Component, world: World) -> bool:
    try:
        return component.ready(world)
    except Exception:
        return False


def client(world: World) -> Client:
    facts = world.facts("kubernetes")
    return Client(facts["server"], facts["token"], facts["ca_cert"])


def deployment(image: str, *, replicas: int = 3, deadline: int = 3) -> Object:
    """The recorded Deployment: two containers, and a readiness probe that needs no database."""
    container = {
        "name": SERVICE,
        "image": image,
        "envFrom": [{"configMapRef": {"name": "feature-flags", "optional": True}}],
        "readinessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "periodSeconds": 1},
    }
    sidecar = {"name": "metrics-sidecar", "image": "easymo/metrics:v1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": {"app": SERVICE}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": deadline,
            "selector": {"matchLabels": {"app": SERVICE}},
            "template": {
                "metadata": {"labels": {"app": SERVICE}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [container, sidecar]},
            },
        },
    }


def service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": {"app": SERVICE}},
        "spec": {"selector": {"app": SERVICE}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


async def ensure_namespace(api: Client) -> None:
    if await api.find("namespaces", "", NAMESPACE) is None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await api.create("namespaces", "", body)


async def set_image(api: Client, image: str, note: str = "") -> None:
    """Another image; `note`, an annotation of the template, makes it another template in any case."""
    found = await api.get("deployments", NAMESPACE, SERVICE)
    containers = found["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = image
    template: Object = {"spec": {"containers": containers}}
    if note:
        template["metadata"] = {"annotations": {"note": note}}
    patch = {"spec": {"template": template}}
    await api.patch("deployments", NAMESPACE, SERVICE, patch)


async def wait_for(
    api: Client, holds: t.Callable[[Object], bool], seconds: float = 120.0
) -> Object:
    deadline = time.monotonic() + seconds
    while True:
        found = await api.get("deployments", NAMESPACE, SERVICE)
        if holds(found):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"the Deployment did not get there, its status is {found['status']}"
            )
        await asyncio.sleep(0.1)


def complete(found: Object) -> bool:
    """Whether a Deployment has what it is to have, and nothing of before."""
    status, wanted = found.get("status") or {}, found["spec"]["replicas"]
    counted = all(
        status.get(name, 0) == wanted
        for name in ("replicas", "updatedReplicas", "availableReplicas")
    )
    observed = status.get("observedGeneration") == found["metadata"]["generation"]
    return counted and observed and not status.get("terminatingReplicas")


def progress_reason(found: Object) -> str:
    conditions = found["status"].get("conditions") or []
    return next((c["reason"] for c in conditions if c["type"] == "Progressing"), "")


def timed_out(found: Object) -> bool:
    return progress_reason(found) == "ProgressDeadlineExceeded"
