# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever holds the deployer's token may do what manifests/rbac.yaml says and no more, by kubectl's own word."""

from __future__ import annotations

import base64
import json
import subprocess
import time

import pytest

from sandbox.names import DEPLOYER, NAMESPACE
from sandbox.world import World
from tests.integration.conftest import KUBECTL

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{DEPLOYER}"


def kubectl(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [KUBECTL, f"--kubeconfig={world.facts('kubernetes')['kubeconfig']}", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def as_deployer(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return kubectl(world, f"--token={world.facts('kubernetes')['deployer_token']}", *arguments)


def test_the_account_has_a_token_that_ends(world: World) -> None:
    token = kubectl(world, "create", "token", DEPLOYER, "--duration=8h").stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (ACCOUNT, 8 * 3600)
    assert abs(claims["iat"] - time.time()) < 60
    assert ACCOUNT in kubectl(world, f"--token={token}", "auth", "whoami").stdout
    assert "10 minutes" in kubectl(world, "create", "token", DEPLOYER, "--duration=5m").stderr
    assert "not found" in kubectl(world, "create", "token", "nobody").stderr
    assert "You must be logged in" in kubectl(world, f"--token={token}x", "get", "pods").stderr


@pytest.mark.parametrize(
    ("verb", "what", "answer"),
    [
        ("patch", "deployments", "yes"),
        ("create", "leases", "yes"),
        ("get", "pods/log", "yes"),
        ("delete", "deployments", "no"),
        ("list", "secrets", "no"),
        ("create", "rolebindings", "no"),
    ],
)
def test_what_the_role_says_holds(world: World, verb: str, what: str, answer: str) -> None:
    kind, _, subresource = what.partition("/")
    asked = [verb, kind, *([f"--subresource={subresource}"] if subresource else [])]
    assert as_deployer(world, "auth", "can-i", *asked).stdout.strip() == answer


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
def test_what_it_does_not_say_is_refused(world: World, arguments: list[str], words: str) -> None:
    done = as_deployer(world, *arguments)
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error from server (Forbidden): {words}"
