# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates the platform of the previous release in the cluster, and waits until it is available."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import typing as t

from sandbox.errors import SandboxError
from sandbox.services.manifests import manifests

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

Object = dict[str, t.Any]

FIELD_MANAGER = "kubectl-client-side-apply"
USER_AGENT = "kubelet/settle"
DEADLINE = 60.0
POLL_SECONDS = 0.1


class Api:
    """Just enough of a client, without an event loop: the supervisor calls from a thread.

    One connection for all calls, for a handshake costs more than most of them.
    """

    def __init__(self, facts: Facts) -> None:
        self._connection = http.client.HTTPSConnection(
            facts["server"].removeprefix("https://"),
            timeout=10,
            context=ssl.create_default_context(cafile=facts["ca_cert"]),
        )
        self._headers = {
            "Authorization": f"Bearer {facts['token']}",
            "Content-Type": "application/json",
            # Like the kubelet's, these requests build the sandbox up: no rehearsed fault is meant.
            "User-Agent": USER_AGENT,
        }

    def call(self, path: str, body: Object | None = None) -> tuple[int, Object]:
        data = json.dumps(body).encode() if body is not None else None
        self._connection.request("POST" if data else "GET", path, data, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self._connection.close()


def settle(world: World) -> None:
    facts = world.facts("kubernetes")
    api = Api(facts)
    wanted = manifests(world)
    names = {m["metadata"]["name"] for m in wanted if m["kind"] == "Deployment"}
    with contextlib.closing(api):
        for manifest in wanted:
            create(api, manifest)
        wait_available(api, facts["namespace"], names)


def collection(manifest: Object) -> str:
    version, kind = manifest["apiVersion"], manifest["kind"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = manifest["metadata"].get("namespace")
    plural = {"NetworkPolicy": "networkpolicies"}.get(kind, f"{kind.lower()}s")
    return f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"


def create(api: Api, manifest: Object) -> None:
    """Create, or leave what is there already; owned by whom `kubectl apply` makes the owner."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    status, answer = api.call(f"{collection(manifest)}?fieldManager={FIELD_MANAGER}", manifest)
    if status not in (201, 409):
        why = answer.get("message", "")
        raise SandboxError(
            f"The cluster refused {name} with {status} ({why}): see 'sandbox logs kubernetes'."
        )


def wait_available(api: Api, namespace: str, names: t.AbstractSet[str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        _, answer = api.call(f"/apis/apps/v1/namespaces/{namespace}/deployments")
        listed = answer.get("items", [])
        missing = [short(entry) for entry in listed if not available(entry)]
        absent = names - {entry["metadata"]["name"] for entry in listed}
        if not missing and not absent:
            return
        if time.monotonic() > deadline:
            words = ", ".join([*missing, *(f"{name} (gone)" for name in sorted(absent))])
            raise SandboxError(
                f"After {DEADLINE:.0f} s these Deployments of {namespace} are not available: {words}; "
                "see 'kubectl get pods' and 'sandbox logs node'."
            )
        time.sleep(POLL_SECONDS)


def available(deployment: Object) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    return bool(
        status.get("availableReplicas", 0) >= wanted
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    )


def short(deployment: Object) -> str:
    status = deployment.get("status") or {}
    ready = status.get("availableReplicas", 0)
    return f"{deployment['metadata']['name']} ({ready} of {deployment['spec'].get('replicas', 1)})"
