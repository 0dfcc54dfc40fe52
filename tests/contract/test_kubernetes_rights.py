"""Whoever holds the deployer's token may do what manifests/rbac/ says and no more, by kubectl's own word."""

import base64
import json
import shlex
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from sandbox.names import DEPLOYER, NAMESPACE
from sandbox.services.manifests import RIGHTS
from sandbox.world import World
from tests.integration.conftest import KUBECTL

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{DEPLOYER}"


def kubectl(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [KUBECTL, f"--kubeconfig={world.facts('kubernetes')['kubeconfig']}", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def as_deployer(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return kubectl(world, f"--token={world.facts('kubernetes')['deployer_token']}", *arguments)


def test_an_administrator_makes_the_account_by_one_command(world):
    applied = kubectl(world, "apply", "--filename", str(RIGHTS.resolve())).stdout.splitlines()
    kinds = Counter(line.partition("/")[0].partition(".")[0] for line in applied)
    assert kinds == {"role": 4, "rolebinding": 2, "serviceaccount": 2}


def test_the_account_has_a_token_that_ends(world):
    token = kubectl(world, "create", "token", DEPLOYER, "--duration=8h").stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (ACCOUNT, 8 * 3600)
    assert abs(claims["iat"] - time.time()) < 60
    assert ACCOUNT in kubectl(world, f"--token={token}", "auth", "whoami").stdout
    assert "10 minutes" in kubectl(world, "create", "token", DEPLOYER, "--duration=5m").stderr
    assert "not found" in kubectl(world, "create", "token", "nobody").stderr
    assert "You must be logged in" in kubectl(world, f"--token={token}x", "get", "pods").stderr


def test_the_server_says_whom_it_takes_the_deployer_for(world):
    facts = world.facts("kubernetes")
    connection = Connection(
        NAMESPACE,
        host=facts["server"],
        api_key=facts["deployer_token"],
        ca_cert=facts["ca_cert"],
    )
    assert KubernetesCluster(connection).account() == ACCOUNT


@pytest.mark.parametrize(
    ("verb", "what", "answer"),
    [
        ("patch", "deployments", "yes"),
        ("create", "leases", "yes"),
        ("get", "pods/log", "yes"),
        ("get", "pods/proxy", "yes"),
        ("get", "secrets/platform-secrets", "yes"),
        ("get", "secrets/easymo-guard", "no"),
        ("get", "secrets", "no"),
        ("list", "secrets", "no"),
        ("update", "leases/easymo-deploy", "yes"),
        ("update", "leases/another", "no"),
        ("delete", "deployments", "no"),
        ("delete", "configmaps", "no"),
        ("patch", "deployments/scale", "no"),
        ("impersonate", "serviceaccounts", "no"),
        ("create", "serviceaccounts/token", "no"),
        ("create", "rolebindings", "no"),
    ],
)
def test_what_the_role_says_holds(world, verb, what, answer):
    kind, _, rest = what.partition("/")
    part = rest in ("log", "proxy", "scale", "token")
    asked = [verb, kind, f"--subresource={rest}"] if part else [verb, what]
    assert as_deployer(world, "auth", "can-i", *asked).stdout.strip() == answer


@pytest.mark.parametrize(
    ("verb", "what", "answer"),
    [
        ("get", "pods/proxy", "yes"),
        ("patch", "deployments/agent-core", "yes"),
        ("patch", "deployments/wallet-service", "no"),
        ("patch", "configmaps/platform-config", "no"),
        ("get", "secrets/platform-secrets", "no"),
        ("update", "leases/easymo-deploy", "no"),
    ],
)
def test_what_the_guard_s_role_says_holds(world, verb, what, answer):
    kind, _, rest = what.partition("/")
    asked = [verb, kind, f"--subresource={rest}"] if rest == "proxy" else [verb, what]
    token = kubectl(world, "create", "token", "easymo-guard").stdout.strip()
    said = kubectl(world, f"--token={token}", "auth", "can-i", *asked)
    assert said.stdout.strip() == answer


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["delete", "deployment", "agent-core"],
            f'deployments.apps "agent-core" is forbidden: User "{ACCOUNT}" cannot delete resource "deployments" '
            f'in API group "apps" in the namespace "{NAMESPACE}"',
        ),
        (
            ["get", "pods", "--all-namespaces"],
            f'pods is forbidden: User "{ACCOUNT}" cannot list resource "pods" in API group "" at the cluster scope',
        ),
        (
            ["get", "configmaps", "--namespace=kube-system"],
            f'configmaps is forbidden: User "{ACCOUNT}" cannot list resource "configmaps" in API group "" '
            'in the namespace "kube-system"',
        ),
    ],
)
def test_what_it_does_not_say_is_refused(world, arguments, words):
    done = as_deployer(world, *arguments)
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error from server (Forbidden): {words}"


def test_a_credential_of_an_exec_plugin_is_renewed_when_it_ends(world, tmp_path):
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins."""
    asked, end = tmp_path / "asked", datetime.now(UTC) + timedelta(seconds=3)
    facts = world.facts("kubernetes")
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "token": facts["deployer_token"],
            "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    script = f"echo >>{asked}; echo {shlex.quote(json.dumps(credential))}"
    config = json.loads(Path(facts["kubeconfig"]).read_text(encoding="utf-8"))
    plugin = {"apiVersion": credential["apiVersion"], "command": "sh", "args": ["-c", script]}
    config["users"][0]["user"] = {"exec": {**plugin, "interactiveMode": "Never"}}
    (tmp_path / "kubeconfig").write_text(json.dumps(config), encoding="utf-8")
    cluster = KubernetesCluster(Connection(NAMESPACE, kubeconfig=str(tmp_path / "kubeconfig")))
    assert cluster.read("ConfigMap", "feature-flags") is not None
    before = len(asked.read_text().splitlines())
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 1)
    assert cluster.read("ConfigMap", "feature-flags") is not None
    assert len(asked.read_text().splitlines()) > before


def test_in_a_pod_its_own_account_is_used(world, tmp_path, monkeypatch):
    """https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/."""
    facts = world.facts("kubernetes")
    token = tmp_path / "token"
    token.write_text(facts["deployer_token"], encoding="utf-8")
    host, _, port = facts["server"].removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", facts["ca_cert"])
    found = KubernetesCluster(Connection(NAMESPACE)).read("ConfigMap", "feature-flags")
    assert found is not None
