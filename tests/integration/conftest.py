"""A throw-away namespace with one Deployment, and the collection's own code to act on it."""

import functools
import json
import os
import subprocess
import sys
import typing as t
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import botocore.session
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import ControllerModule
from sandbox.faults import Fault, Faults
from sandbox.world import World
from tests import kubernetes_api
from tests.contract.rollout_cluster import complete
from tests.fakes.cluster import FakeClock
from tests.fault_setting import faults_set
from tests.integration.backups import database_to_back_up
from tests.integration.prisma_project import PrismaProject
from tests.integration.restoring import SPOIL, Restorable, restorable
from tests.integration.running import bucket, scratch_database
from tests.waiting import until

# Each client of S3 would read half a megabyte of the service's description again: a sixth of what these tests cost.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

Result = dict[str, t.Any]
KUBECTL = str(Path(sys.executable).with_name("kubectl"))
SERVICE = "buyer-service"

CLUSTER = os.environ.get("EASYMO_TEST_KUBECONFIG", "")
"""The kubeconfig of another cluster than the sandbox's; never taken from KUBECONFIG, which may well be production's."""


def _of(what: str, here: str, elsewhere: str) -> str:
    """`$EASYMO_TEST_<what>`, else what suits the sandbox or any other cluster."""
    return os.environ.get(f"EASYMO_TEST_{what}") or (elsewhere if CLUSTER else here)


# Elsewhere any small server will do that listens on 8080 without being root.
_PUBLIC = "nginxinc/nginx-unprivileged"
OLD = _of("IMAGE_OLD", f"easymo/{SERVICE}:v1.9.0", f"{_PUBLIC}:1.27-alpine")
NEW = _of("IMAGE_NEW", f"easymo/{SERVICE}:v2.0.0", f"{_PUBLIC}:1.28-alpine")
ABSENT = _of("IMAGE_ABSENT", f"{NEW}-nopull", f"{_PUBLIC}:there-is-no-such-tag")
CRASHING = _of("IMAGE_CRASHING", f"{NEW}-crash", "busybox:1.37")
SLOW = _of("IMAGE_SLOW", f"{NEW}-slow", NEW)
LOG_LINE = _of("LOG_LINE", "v2.0.0", "start worker process")
PROBE_PATH = _of("PROBE_PATH", "/livez", "/")


@dataclass(frozen=True)
class Place:
    """A namespace: kubectl and the official client as witnesses, and a module's `run` as the controller runs it."""

    kubeconfig: str
    namespace: str

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        argv = [KUBECTL, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}"]
        done = subprocess.run(
            [*argv, *arguments],
            input=stdin,
            env={**os.environ, **kubernetes_api.NO_COLLECTOR},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def rolled_out(self, name: str = SERVICE) -> str:
        """What kubectl says of a Deployment once it is complete."""
        return self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")

    def read(self, kind: str, name: str = "", *, selector: str = "") -> t.Any:
        """The object, or the list of those that have the labels."""
        return kubernetes_api.read(self.kubeconfig, self.namespace, kind, name, selector)

    def deployment(self, name: str = SERVICE) -> t.Any:
        return self.read("deployments", name)

    def image(self) -> str:
        image: str = self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    def run(self, module: ModuleType, *, check_mode: bool = False, **params: t.Any) -> Result:
        """The module's result; with `failed` when it raised."""
        given = {"kubeconfig": self.kubeconfig, "namespace": self.namespace, **params}
        return self.run_bare(module, check_mode=check_mode, **given)

    def run_bare(self, module: ModuleType, *, check_mode: bool = False, **given: t.Any) -> Result:
        """The same of a module that asks no cluster."""
        spec = module.module_spec()
        checked = ArgumentSpecValidator(**spec).validate(given)
        assert not checked.error_messages, checked.error_messages
        values = {name: checked.validated_parameters.get(name) for name in spec["argument_spec"]}
        face = ControllerModule(values, check_mode=check_mode, diff=True, host="localhost")
        try:
            result: Result = module.run(face)
        except DeployError as exc:
            return {"failed": True, **exc.to_result()}
        return result

    def start(self, module: str, **params: t.Any) -> subprocess.Popen[bytes]:
        """The module through Ansible itself, in a process of its own."""
        given = {"kubeconfig": self.kubeconfig, "namespace": self.namespace, **params}
        ansible = str(Path(sys.executable).with_name("ansible"))
        name = f"easymo.deploy.{module}"
        return subprocess.Popen(
            [ansible, "localhost", "-c", "local", "-m", name, "-a", json.dumps(given)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


@pytest.fixture
def watch_clock(monkeypatch) -> FakeClock:
    """The virtual time of a watch over metrics. Its listeners are called in the pauses between two looks."""
    clock = FakeClock()
    watch = functools.partial(metrics_gate.run_watch, clock=clock.now, sleep=clock.sleep)
    monkeypatch.setattr(metrics_gate, "run_watch", watch)
    return clock


@pytest.fixture
def kubeconfig(request) -> str:
    if CLUSTER:
        return CLUSTER
    world: World = request.getfixturevalue("world")
    return world.facts("kubernetes")["kubeconfig"]


@pytest.fixture
def place(kubeconfig) -> t.Iterator[Place]:
    """An empty namespace. What is left in it ends while the next test has its own."""
    place = Place(kubeconfig, f"test-{uuid.uuid4().hex[:8]}")
    kubernetes_api.create_namespace(kubeconfig, place.namespace)
    yield place
    kubernetes_api.delete_namespace(kubeconfig, place.namespace)


@pytest.fixture
def deployed(place) -> Place:
    """With the service at its old version, two replicas, rolled out."""
    return deploy(place, SERVICE)


def deploy(place: Place, *names: str) -> Place:
    """Deployments of two replicas at the old version, rolled out. Their probe needs nothing but the pod."""
    for name in names:
        kubernetes_api.create(place.kubeconfig, place.namespace, "deployments", deployment(name))
    for name in names:
        until(lambda name=name: complete(place.deployment(name)))
    return place


def deployment(name: str, image: str = OLD) -> dict[str, t.Any]:
    container = {
        "name": name,
        "image": image,
        "ports": [{"containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": "feature-flags", "optional": True}}],
        "readinessProbe": {"httpGet": {"path": PROBE_PATH, "port": 8080}, "periodSeconds": 1},
    }
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 3},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture
def fault(world) -> t.Iterator[t.Callable[..., None]]:
    """Sets a fault of the sandbox until the test ends, in place of the one that it set before."""
    faults = Faults(world.faults_file)
    before = faults.all()

    def inject(component: str, name: str, target: str = "", **parameters: str) -> None:
        faults.write([*before, Fault(component, name, target, parameters)])

    with faults_set(faults):
        yield inject


@pytest.fixture(scope="module")
def backup_database(world) -> t.Iterator[Result]:
    """The options of pg_backup for a database of the module's own."""
    with database_to_back_up(world) as options:
        yield options


@pytest.fixture
def options(world, backup_database, request) -> Result:
    """The same, with a prefix of the test's own in the bucket."""
    prefix = f"{backup_database['prefix']}{abs(hash(request.node.name))}/"
    return {**backup_database, **bucket(world, prefix)}


@pytest.fixture
def spoilt(world) -> t.Iterator[Restorable]:
    """Backed up, and then most orders deleted."""
    with restorable(world) as made:
        made.psql(SPOIL)
        yield made


@pytest.fixture
def project(world, tmp_path) -> t.Iterator[PrismaProject]:
    with scratch_database(world) as database:
        yield PrismaProject(tmp_path / "migrations", database)
