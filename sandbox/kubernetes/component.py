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
        write_private(world.folder(NAME) / "kubeconfig", kubeconfig(world))
        deployer = token(world.secret("kubernetes-token"), NAMESPACE, DEPLOYER, DEPLOYER_SECONDS)
        # Of the account that may do what manifests/rbac/ says, as a deployer has it.
        write_private(world.folder(NAME) / "deployer-token", deployer.encode())

    def ready(self, world: World) -> bool:
        trusted = ssl.create_default_context(cafile=str(world.certificate(NAME).ca))
        return responds(f"{server_url(world)}/readyz", trusted)

    def facts(self, world: World) -> Facts:
        folder = world.folder(NAME)
        return {
            "server": server_url(world),
            "ca_cert": str(world.certificate(NAME).ca),
            "token": world.secret("kubernetes-token"),
            "deployer_token": (folder / "deployer-token").read_text(encoding="utf-8"),
            "kubeconfig": str(folder / "kubeconfig"),
            "namespace": NAMESPACE,
        }


def server_url(world: World) -> str:
    return f"https://127.0.0.1:{world.port(NAME)}"


def kubeconfig(world: World) -> bytes:
    """JSON is YAML, so no YAML library is needed to write what kubectl reads."""
    name = "sandbox"
    authority = str(world.certificate(NAME).ca)
    cluster = {"server": server_url(world), "certificate-authority": authority}
    context = {"cluster": name, "user": name, "namespace": NAMESPACE}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": context}],
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": world.secret("kubernetes-token")}}],
    }
    return json.dumps(config, indent=1).encode()


COMPONENT = Kubernetes()
