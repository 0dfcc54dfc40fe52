"""Rollouts through the API of a small cluster of their own: its faults disturb nobody else."""

import json
import threading
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import LEASE
from ansible_collections.easymo.deploy.plugins.modules import release, rollout
from sandbox.faults import Fault, Faults
from sandbox.world import World
from tests import kubernetes_api
from tests.contract.rollout_cluster import SERVICE, complete, deployment
from tests.fault_setting import faults_set
from tests.integration.conftest import Place, Result
from tests.waiting import until

OLD, NEW = f"easymo/{SERVICE}:v1.9.0", f"easymo/{SERVICE}:v2.0.0"
RELEASE = "2.0.0"


@dataclass(frozen=True)
class Stage:
    """A namespace with one Deployment at its old version, and the faults of its cluster."""

    place: Place
    faults: Faults
    cluster: KubernetesCluster

    def roll(self, image: str = NEW, **params: t.Any) -> Result:
        soon = {"wait_timeout": 120, "soak": 0}
        given = {"name": SERVICE, "image": image, "release": RELEASE, **soon, **params}
        return self.place.run(rollout, **given)

    def pin(self) -> None:
        self.place.run(release, name=RELEASE, phase="microservices", phase_status="running")
        pinned = self.place.run(release, name=RELEASE, pin={"deployments": [SERVICE]})
        assert pinned["changed"], pinned

    def hold_lock(self, *, epoch: int) -> None:
        """The deploy lock, as somebody's run of that epoch holds it."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE},
            "spec": {"holderIdentity": f"run-{epoch}", "leaseTransitions": epoch},
        }
        self.place.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def break_cluster(self, name: str, **parameters: str) -> None:
        """A fault until the stage is left, or `faults` are written again."""
        component, _, fault = name.partition(".")
        self.faults.write([*self.faults.read(), Fault(component, fault, "", parameters)])

    def fault(self, name: str, target: str = "", **parameters: str) -> t.ContextManager[None]:
        component, _, fault = name.partition(".")
        return faults_set(self.faults, Fault(component, fault, target, parameters))

    @contextmanager
    def meanwhile(
        self, seen: t.Callable[[], bool], act: t.Callable[[], object]
    ) -> t.Iterator[list[BaseException]]:
        """`act` on a thread once something was `seen`; it is over at the end of the block."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                until(seen)
                act()
            except BaseException as exc:
                failures.append(exc)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield failures
        thread.join(120)
        assert not failures, failures

    def body(self) -> dict[str, t.Any]:
        body = self.cluster.read("Deployment", SERVICE)
        assert body is not None
        return body

    @property
    def image(self) -> str:
        containers = self.body()["spec"]["template"]["spec"]["containers"]
        return containers[0]["image"]

    @property
    def generation(self) -> int:
        return self.body()["metadata"]["generation"]

    def kubectl(self, *arguments: str) -> str:
        return self.place.kubectl(*arguments)

    def patch(self, **spec: t.Any) -> None:
        patch = json.dumps({"spec": spec})
        self.kubectl("patch", "deployment", SERVICE, "--type=merge", "-p", patch)

    def settle(self) -> None:
        until(lambda: complete(self.place.deployment(SERVICE)))


@contextmanager
def stage(world: World, **spec: t.Any) -> t.Iterator[Stage]:
    """With three pods of the old version, complete. `spec` goes over the Deployment's."""
    facts = world.facts("kubernetes")
    place = Place(facts["kubeconfig"], f"roll-{uuid.uuid4().hex[:8]}")
    kubernetes_api.create_namespace(place.kubeconfig, place.namespace)
    body = deployment(OLD, deadline=600)
    body["metadata"]["namespace"] = place.namespace
    body["spec"].update(spec)
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    kubernetes_api.create(place.kubeconfig, place.namespace, "deployments", body)
    connection = Connection(namespace=place.namespace, kubeconfig=place.kubeconfig)
    made = Stage(place, Faults(world.faults_file), KubernetesCluster(connection))
    made.settle()
    try:
        yield made
    finally:
        made.faults.write(())
        kubernetes_api.delete_namespace(place.kubeconfig, place.namespace)
