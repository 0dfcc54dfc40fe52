# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes API server as a component of the sandbox."""

from __future__ import annotations

import json
import ssl
import typing as t

from sandbox.component import Component, responds
from sandbox.kubernetes.service_accounts import token
from sandbox.names import DEPLOYER, NAMESPACE
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from pathlib import Path

    from sandbox.world import Facts, World

NAME = "kubernetes"
DEPLOYER_SECONDS = 30 * 86400


class Kubernetes(Component):
    name = NAME
    program = "sandbox.kubernetes.server"
    ports = (NAME,)
    survives_kill = False
    faults: t.Mapping[str, str] = {
        "errors": "A share of the requests is answered 500 (share=1.0, from 0 to 1).",
        "throttled": "A share of the requests is answered 429 with Retry-After (share=1.0, retry_after=1).",
        "slow": "Every request is held for seconds=1.",
        "down": "Connections are refused, controllers stop, objects are kept. Afterwards 1.3 s of denials.",
        "gone": "Once: every watch ends with 410, and older resource versions are expired.",
        "forbidden": 'Nobody may do what the target names, such as "patch deployments". Access reviews say so too.',
        "controllers-rest": "Requests are answered, but no Deployment is reconciled.",
        "unauthorized": "A share of the requests is answered 401 (share=1.0).",
    }

    def prepare(self, world: World) -> None:
        world.port(NAME)
        world.secret("kubernetes-token")
        world.certificate(NAME)
        write_kubeconfig(world)
        deployer = token(world.secret("kubernetes-token"), NAMESPACE, DEPLOYER, DEPLOYER_SECONDS)
        write_private(deployer_token(world), deployer.encode())

    def ready(self, world: World) -> bool:
        trusted = ssl.create_default_context(cafile=str(world.certificate(NAME).ca))
        return responds(f"{server_url(world)}/readyz", trusted)

    def facts(self, world: World) -> Facts:
        return {
            "server": server_url(world),
            "ca_cert": str(world.certificate(NAME).ca),
            "token": world.secret("kubernetes-token"),
            "deployer_token": deployer_token(world).read_text(encoding="utf-8"),
            "kubeconfig": str(kubeconfig_path(world)),
            "namespace": NAMESPACE,
        }


def server_url(world: World) -> str:
    return f"https://127.0.0.1:{world.port(NAME)}"


def deployer_token(world: World) -> Path:
    """The token of the account that may do what manifests/rbac/ says, as a deployer has it."""
    return world.folder(NAME) / "deployer-token"


def kubeconfig_path(world: World) -> Path:
    return world.folder(NAME) / "kubeconfig"


def write_kubeconfig(world: World) -> None:
    """JSON is YAML, so no YAML library is needed to write what kubectl reads."""
    cluster = {
        "server": server_url(world),
        "certificate-authority": str(world.certificate(NAME).ca),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "contexts": [
            {
                "name": "sandbox",
                "context": {"cluster": "sandbox", "user": "sandbox", "namespace": NAMESPACE},
            }
        ],
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "sandbox", "user": {"token": world.secret("kubernetes-token")}}],
    }
    path = kubeconfig_path(world)
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")


COMPONENT = Kubernetes()
