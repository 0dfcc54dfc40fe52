# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the platform into the cluster as it is before the release, and waits until it stands."""

from __future__ import annotations

import json
import ssl
import time
import typing as t
import urllib.error
import urllib.request

from sandbox.errors import SandboxError
from sandbox.services.manifests import manifests

if t.TYPE_CHECKING:
    from sandbox.world import World

Object = dict[str, t.Any]

DEADLINE = 60.0
LOOK_EVERY = 0.1


class Api:
    """Just enough of a client, without an event loop: the supervisor calls from a thread."""

    def __init__(self, server: str, token: str, ca_cert: str) -> None:
        self._server, self._token = server, token
        self._context = ssl.create_default_context(cafile=ca_cert)

    def call(self, path: str, body: Object | None = None) -> Object:
        request = urllib.request.Request(  # noqa: S310
            self._server + path,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:  # noqa: S310
            return t.cast("Object", json.loads(answer.read()))


def settle(world: World) -> None:
    facts = world.facts("kubernetes")
    api = Api(facts["server"], facts["token"], facts["ca_cert"])
    wanted = manifests(world)
    for manifest in wanted:
        create(api, manifest)
    names = {m["metadata"]["name"] for m in wanted if m["kind"] == "Deployment"}
    wait_available(api, facts["namespace"], names)


def collection(manifest: Object) -> str:
    """The path that a manifest is posted to."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = manifest["metadata"].get("namespace")
    plural = {"NetworkPolicy": "networkpolicies"}.get(kind, f"{kind.lower()}s")
    return f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"


def create(api: Api, manifest: Object) -> None:
    """Create, or leave what is there already."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    try:
        api.call(collection(manifest), manifest)
    except urllib.error.HTTPError as exc:
        if exc.code == 409:
            return
        why = json.loads(exc.read()).get("message", "")
        raise SandboxError(
            f"The cluster refused {name} with {exc.code} ({why}): see 'sandbox logs kubernetes'."
        ) from exc


def wait_available(api: Api, namespace: str, names: t.AbstractSet[str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        listed = api.call(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"]
        missing = [short(entry) for entry in listed if not available(entry)]
        absent = names - {entry["metadata"]["name"] for entry in listed}
        if not missing and not absent:
            return
        if time.monotonic() > deadline:
            told = ", ".join([*missing, *(f"{name} (gone)" for name in sorted(absent))])
            raise SandboxError(
                f"After {DEADLINE:.0f} s these Deployments of {namespace} are not available: {told}; "
                "see 'kubectl get pods' and 'sandbox logs node'."
            )
        time.sleep(LOOK_EVERY)


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
