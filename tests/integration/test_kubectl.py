"""The real kubectl as a witness: every verb an operator uses works against the sandbox's cluster."""

import contextlib
import json
import shlex
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

KUBECTL = Path(sys.executable).with_name("kubectl")
OLD, NEW = "easymo/ranking-service:v1.9.0", "easymo/ranking-service:v2.0.0"
NAME = "ranking"


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a namespace and a discovery cache of its own."""

    kubeconfig: str
    cache: Path
    namespace: str

    def run(
        self, *arguments: str, stdin: str = "", timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(*arguments),
            input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def _argv(self, *arguments: str) -> list[str]:
        return [
            str(KUBECTL), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.cache}",
            f"--namespace={self.namespace}", *arguments,
        ]  # fmt: skip

    def __call__(self, *arguments: str, stdin: str = "", timeout: float = 180) -> str:
        """Standard output of a call that must succeed."""
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """Standard error of a call that must fail."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} succeeded: {done.stdout}"
        return done.stderr

    def json(self, *arguments: str) -> t.Any:
        return json.loads(self(*arguments, "-o", "json"))

    @contextlib.contextmanager
    def forwarding(self, *arguments: str) -> t.Iterator[int]:
        """The local port of a port-forward, while it goes on."""
        with subprocess.Popen(
            self._argv("port-forward", "--address=127.0.0.1", *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                said = process.stdout.readline() if process.stdout else ""
                assert said.startswith("Forwarding from 127.0.0.1:"), said
                yield int(said.partition("127.0.0.1:")[2].partition(" ")[0])
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def kubectl(world, tmp_path_factory) -> t.Iterator[Kubectl]:
    """A throw-away namespace that holds copies of the platform's settings, as its pods need them."""
    facts = world.facts("kubernetes")
    cache = tmp_path_factory.mktemp("kubectl-cache")
    platform = Kubectl(facts["kubeconfig"], cache, facts["namespace"])
    mine = Kubectl(facts["kubeconfig"], cache, "kubectl-test")
    mine.run("delete", "namespace", mine.namespace, "--ignore-not-found")
    mine("create", "-f", "-", stdin=json.dumps(named("v1", "Namespace", mine.namespace)))
    for kind, name in (("configmap", "platform-config"), ("secret", "platform-secrets")):
        found = platform.json("get", kind, name)
        copy = named("v1", found["kind"], name) | {"data": found["data"]}
        mine("create", "-f", "-", stdin=json.dumps(copy))
    yield mine
    mine("delete", "namespace", mine.namespace, "--timeout=120s")


@pytest.fixture
def deployed(kubectl) -> str:
    """The Deployment with the old image and two replicas, rolled out."""
    kubectl("apply", "-f", "-", stdin=json.dumps(deployment()))
    kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
    return f"deployment/{NAME}"


def named(api_version: str, kind: str, name: str) -> dict[str, t.Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def deployment(image: str = OLD, replicas: int = 2) -> dict[str, t.Any]:
    probe = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": 8080}],
        "envFrom": [
            {"configMapRef": {"name": "platform-config"}},
            {"secretRef": {"name": "platform-secrets"}},
        ],
        "readinessProbe": probe,
    }
    labels = {"app": NAME}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return named("apps/v1", "Deployment", NAME) | {"spec": spec}


def image_of(kubectl: Kubectl) -> str:
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return kubectl("get", "deployment", NAME, "-o", path)


SHOWN = {
    "version": "Server Version: v1.",
    "explain deployment.spec.strategy": "rollingUpdate",
    "auth can-i patch deployments": "yes",
    "auth can-i --list": "*.*",
    "auth whoami": "kubernetes-admin",
    "get deploy -o wide": OLD,
    "get all": "replicaset.apps/ranking-",
    "get nodes": "sandbox-node",
    "get events": "SuccessfulCreate",
    f"events --for deployment/{NAME}": "ScalingReplicaSet",
    f"get deployment {NAME} -o yaml": f"name: {NAME}",
    f"get pods -l app={NAME} -o wide": "Running",
    f"describe deployment {NAME}": "2 desired | 2 updated | 2 total | 2 available | 0 unavailable",
    f"describe deploy {NAME}": f"Image:      {OLD}",
    f"describe pods -l app={NAME}": "Conditions:",
    f"logs deployment/{NAME}": "started successfully",
    f"exec deployment/{NAME} -- env": f"HOSTNAME={NAME}-",
}


@pytest.mark.usefixtures("deployed")
def test_what_an_operator_looks_at_is_shown(kubectl):
    shown = {command: kubectl(*command.split()) for command in SHOWN}
    assert {command for command, words in SHOWN.items() if words not in shown[command]} == set()
    resources = kubectl("api-resources")
    for kind in ("Deployment", "Lease", "EndpointSlice", "PodDisruptionBudget"):
        assert kind in resources
    assert kubectl("get", "deployments").split()[:5] == [
        "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE",
    ]  # fmt: skip


def test_of_logs_and_commands_the_options_hold_and_failures_are_told(kubectl, deployed):
    assert len(kubectl("logs", deployed, "--tail=1").splitlines()) == 1
    assert "is not valid for pod" in kubectl.refused("logs", deployed, "-c", "nobody")
    assert kubectl.run("exec", deployed, "--", "false").returncode == 1


def test_get_watch_prints_changes(kubectl, deployed):
    watching = kubectl.run(
        "get", deployed, "--watch", "--output-watch-events", "--request-timeout=2s"
    )

    assert "ADDED" in watching.stdout


def test_apply_diff_and_server_side_apply(kubectl, deployed):
    changed = json.dumps(deployment(replicas=3))

    differing = kubectl.run("diff", "-f", "-", stdin=changed)
    assert (differing.returncode, "replicas: 3" in differing.stdout) == (1, True)
    assert "configured (server dry run)" in kubectl(
        "apply", "--dry-run=server", "-f", "-", stdin=changed
    )
    kubectl("apply", "-f", "-", stdin=changed)
    assert kubectl.run("diff", "-f", "-", stdin=changed).returncode == 0

    conflict = kubectl.refused(
        "apply",
        "--server-side",
        "--field-manager=ramp",
        "-f",
        "-",
        stdin=json.dumps(deployment(NEW, 4)),
    )
    assert 'conflicts with "kubectl-client-side-apply" using apps/v1' in conflict
    forced = ("apply", "--server-side", "--field-manager=ramp", "--force-conflicts", "-f", "-")
    assert "serverside-applied" in kubectl(*forced, stdin=json.dumps(deployment(NEW, 4)))
    assert kubectl.json("get", deployed)["spec"]["replicas"] == 4
    kubectl("delete", deployed, "--wait")


def test_a_rollout_from_set_image_to_undo(kubectl, deployed):
    kubectl("set", "image", deployed, f"web={NEW}")
    assert "successfully rolled out" in kubectl("rollout", "status", deployed, "--timeout=120s")
    assert image_of(kubectl) == NEW

    history = kubectl("rollout", "history", deployed)
    assert len([line for line in history.splitlines() if line[:1].isdigit()]) >= 2

    kubectl("rollout", "undo", deployed)
    kubectl("rollout", "status", deployed, "--timeout=120s")
    assert image_of(kubectl) == OLD


def test_restart_pause_and_resume(kubectl, deployed):
    kubectl("rollout", "restart", deployed)
    kubectl("rollout", "pause", deployed)
    assert "can't restart paused deployment" in kubectl.refused("rollout", "restart", deployed)
    kubectl("rollout", "resume", deployed)
    assert "successfully rolled out" in kubectl("rollout", "status", deployed, "--timeout=120s")


def test_deleting_a_deployment_takes_its_pods_along(kubectl, deployed):
    kubectl("delete", deployed)

    kubectl("wait", "pods", "-l", f"app={NAME}", "--for=delete", "--timeout=120s")
    assert "NotFound" in kubectl.refused("get", deployed)


TUTORIAL = """
create serviceaccount robot
create role reader --verb=get,list --resource=pods
create rolebinding robots --role=reader --serviceaccount=kubectl-test:robot
create configmap words --from-literal=one=1
create secret generic hidden --from-literal=pw=s3cret
create quota most --hard=pods=50
create poddisruptionbudget safe --selector=app=site --min-available=50%
create deployment site --image=nginx:1.27 --replicas=1 --port=80
expose deployment site --port=80
autoscale deployment site --min=2 --max=5 --cpu=80%
run once --image=busybox --restart=Never -- true
create job task --image=busybox -- date
create cronjob nightly --image=busybox --schedule=0\\ 3\\ *\\ *\\ * -- date
create job by-hand --from=cronjob/nightly
wait --for=condition=complete job/task job/by-hand --timeout=120s
rollout status deployment/site --timeout=120s
apply -f -
rollout status statefulset/store --timeout=120s
rollout status daemonset/agent --timeout=120s
set image statefulset/store nginx=nginx:2
rollout status statefulset/store --timeout=120s
rollout undo statefulset/store
rollout status statefulset/store --timeout=120s
"""
OWNERS = """
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: store}, spec: {serviceName: store, replicas: 2,
 selector: {matchLabels: {app: store}}, template: {metadata: {labels: {app: store}},
 spec: {terminationGracePeriodSeconds: 1, containers: [{name: nginx, image: "nginx:1"}]}},
 volumeClaimTemplates: [{metadata: {name: www}, spec: {accessModes: [ReadWriteOnce],
 resources: {requests: {storage: 1Gi}}}}]}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}, spec: {selector: {matchLabels: {app: agent}},
 template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: agent, image: "busybox:1.37"}]}}}}
"""


NGINX = """
{apiVersion: apps/v1, kind: Deployment, metadata: {name: low}, spec: {selector: {matchLabels: {app: low}},
 template: {metadata: {labels: {app: low}}, spec: {containers: [{name: nginx, image: "nginx:1.27",
 ports: [{name: web, containerPort: 80}], readinessProbe: {httpGet: {path: /, port: web}, periodSeconds: 1}}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: low}, spec: {selector: {app: low},
 ports: [{port: 8888, targetPort: web}]}}
"""


def test_a_port_that_only_root_may_bind_is_reached_by_every_way(world, kubectl):
    kubectl("apply", "-f", "-", stdin=NGINX)
    kubectl("rollout", "status", "deployment/low", "--timeout=120s")
    (pod,) = kubectl.json("get", "pods", "-l", "app=low")["items"]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]

    def serves(answer: str) -> bool:
        return json.loads(answer)["service"] == "nginx"

    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{name}:80/proxy/"
    assert serves(kubectl("get", "--raw", path))
    for host in ("localhost", "127.0.0.1:80", address):
        program = f"import urllib.request as u; print(u.urlopen('http://{host}/').read().decode())"
        assert serves(kubectl("exec", name, "--", sys.executable, "-c", program))
    assert serves(
        requests.get(f"{world.facts('gateway')['url']}/{kubectl.namespace}/low/", timeout=60).text
    )
    with kubectl.forwarding("service/low", ":8888") as port:
        for _ in range(2):
            assert serves(requests.get(f"http://127.0.0.1:{port}/", timeout=60).text)
    kubectl("delete", "deployment,service", "low")


def test_commands_of_any_tutorial_work_as_printed(kubectl):
    """kubectl sends them as protobuf, and does not fall back to JSON."""
    for line in TUTORIAL.strip().splitlines():
        kubectl(*shlex.split(line), stdin=OWNERS if line == "apply -f -" else "")
    path = "jsonpath={.items[*].metadata.name}"
    pods = kubectl("get", "pods", "-l", "app=store", "-o", path).split()
    assert pods == ["store-0", "store-1"]
    assert kubectl("get", "pvc", "-o", path).split() == ["www-store-0", "www-store-1"]
    # Its bound, for there are no metrics.
    assert kubectl.json("get", "deployment", "site")["spec"]["replicas"] == 2
    assert kubectl.json("get", "secret", "hidden")["data"] == {"pw": "czNjcmV0"}
    assert kubectl("get", "pod", "once", "-o", "jsonpath={.status.phase}") == "Succeeded"
    kubectl("delete", "statefulset,daemonset,deployment,job,cronjob,hpa", "--all", "--timeout=120s")
