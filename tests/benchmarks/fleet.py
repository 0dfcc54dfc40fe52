"""Many services in waves: by the rollout's own code in one process, and by phase 4's playbook beside it.

Each wave takes as long as its slowest rollout: their sum is the critical path. EASYMO_FLEET=60 takes 60 services, not
200 and then 1,000.
"""

import json
import os
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched, chain
from pathlib import Path

import yaml

from sandbox.names import NAMESPACE
from sandbox.world import World
from tests.benchmarks.kubectl import WITHIN, Kubectl, Object
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, Run, Stage, collection_output, products, stage

OLD, NEW = "easymo/wallet-service:v1.9.0", "easymo/wallet-service:v2.0.0"
"""The sandbox's registry has no others; whose they are is all the same here."""
PODS_PER_NODE = 250
"""As many as a node of the sandbox takes."""
PLATFORM_PODS = 60
LABEL = "fleet"


@dataclass(frozen=True)
class Fleet:
    services: int
    wave: int
    pods: int
    """Of each service."""

    @property
    def waves(self) -> list[list[str]]:
        names = [f"fleet-{number}" for number in range(self.services)]
        return [list(wave) for wave in batched(names, self.wave, strict=False)]

    @property
    def nodes(self) -> int:
        """Room for one more pod of each service that comes and one that goes, for all return at once."""
        return -(-((self.pods + 2) * self.services + PLATFORM_PODS) // PODS_PER_NODE)

    def __str__(self) -> str:
        return f"pods of each: {self.pods}, waves of {self.wave}, {self.nodes} nodes"


FLEETS = (Fleet(200, 50, 3), Fleet(1000, 50, 1))


def fleet(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    if given := os.environ.get("EASYMO_FLEET"):
        return measured(Fleet(int(given), 50, 3))
    fleets = size.of(small=(Fleet(3, 2, 1),), full=FLEETS)
    return chain.from_iterable(map(measured, fleets))


def measured(fleet: Fleet) -> t.Iterator[Measurement]:
    with stage() as place:
        nodes = ("--nodes", str(fleet.nodes)) if fleet.nodes > 1 else ()
        place.sandbox("up", "--seed-mb", SEED_MB, *nodes)
        kubectl = Kubectl(place)
        with launched(kubectl, fleet):
            found = by_the_module(place, fleet)
            runs: dict[str, Run] = {}
            for number, (product, checkout) in enumerate(products().items()):
                as_before(kubectl)
                # A release that no status of, beside that of the platform.
                release = f"release_version=9.0.{number}"
                runs[product] = place.play(
                    "microservices.yml",
                    *("--extra-vars", release),
                    checkout=checkout,
                    inventory=inventory(place, checkout, fleet),
                )
    critical = found["critical"]
    yield Measurement(f"critical path of {fleet.services}", critical, "s", note=str(fleet))
    yield Measurement("the module to critical path", found["wall"] / critical, "ratio", 1.15)
    requests = found["requests"] / fleet.services
    yield Measurement("requests a service", requests, "count", 30)
    goal = f"memory for {fleet.services} services"
    yield Measurement("memory of the process", found["memory"], "MB", 300, goal=goal)
    for product, run in runs.items():
        ratio = run.seconds / critical
        note = f"{run.seconds:.0f} s, {run.cpu:.0f} s of CPU"
        goal = f"{fleet.services} services in waves of {fleet.wave}, to critical path{product}"
        yield Measurement(f"phase 4 to critical path{product}", ratio, "ratio", 1.1, note, goal)


@contextmanager
def launched(kubectl: Kubectl, fleet: Fleet) -> t.Iterator[None]:
    """Each service with all its pods at the old image, beside the platform."""
    names = [name for wave in fleet.waves for name in wave]
    bodies = [body for name in names for body in (deployment(name, fleet.pods), service(name))]
    kubectl.run("create", "--filename=-", stdin="\n---\n".join(map(json.dumps, bodies)))
    try:
        wait(kubectl)
        yield
    finally:
        kubectl.run("delete", "deployments,services", f"--selector={LABEL}", "--wait=false")


def as_before(kubectl: Kubectl) -> None:
    """All at the old image again."""
    kubectl.run("set", "image", "deployment", f"--selector={LABEL}", f"*={OLD}")
    wait(kubectl)


def wait(kubectl: Kubectl) -> None:
    kubectl.run("rollout", "status", "deployment", f"--selector={LABEL}", f"--timeout={WITHIN}s")


def by_the_module(place: Stage, fleet: Fleet) -> dict[str, float]:
    kubeconfig = World(place.state).facts("kubernetes")["kubeconfig"]
    order = {"kubeconfig": kubeconfig, "namespace": NAMESPACE, "image": NEW, "waves": fleet.waves}
    printed = collection_output("-m", "tests.benchmarks.fleet_run", given=json.dumps(order))
    return t.cast("dict[str, float]", json.loads(printed))


def inventory(place: Stage, checkout: Path, fleet: Fleet) -> Path:
    """The sandbox's, with the fleet for its services."""
    folder = place.state / "fleet" / checkout.name
    (folder / "group_vars").mkdir(parents=True, exist_ok=True)
    of = checkout / "inventories" / "sandbox"
    for name in ("state.py", "host_vars", "group_vars/all"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(of / name)
    hosts = yaml.safe_load((of / "hosts.yml").read_text(encoding="utf-8"))
    hosts["all"]["children"]["microservices"]["children"] = {
        f"service_wave_{number}": {"hosts": dict.fromkeys(wave)}
        for number, wave in enumerate(fleet.waves, 1)
    }
    settings = {
        "service_image": NEW,
        "contract_health_url": "{{ api_url }}/{service}/livez",
        "contract_health_version": "",
    }
    for name, content in (("hosts.yml", hosts), ("group_vars/microservices.yml", settings)):
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def deployment(name: str, pods: int) -> Object:
    container = {
        "name": name,
        "image": OLD,
        "ports": [{"name": "http", "containerPort": 8080}],
        # Every ten seconds, as is usual: of thousands of pods more often would keep the machine busy.
        "readinessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "periodSeconds": 10},
    }
    labels = {"app": name, LABEL: "true"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def service(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {LABEL: "true"}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }
