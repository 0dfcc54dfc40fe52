# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a public path leads: to which service, and to which of its pods, as the cluster's EndpointSlices tell it."""

from __future__ import annotations

import itertools
import typing as t
from collections import defaultdict
from dataclasses import dataclass

from sandbox.names import NAMESPACE

if t.TYPE_CHECKING:
    from sandbox.node.client import Client

Object = t.Mapping[str, t.Any]
SERVICE_LABEL = "kubernetes.io/service-name"


def public_name(obj: Object, name: str = "") -> str:
    """How a service is called here: by its name alone on the platform, and elsewhere with its namespace."""
    metadata = obj["metadata"]
    name, namespace = name or metadata["name"], metadata.get("namespace", NAMESPACE)
    return name if namespace == NAMESPACE else f"{namespace}/{name}"


@dataclass(frozen=True)
class Endpoint:
    """One pod's address, `host:port`, and whether requests may go there."""

    address: str
    ready: bool


class Endpoints:
    def __init__(self) -> None:
        self.known = False
        self._by_service: dict[str, tuple[Endpoint, ...]] = {}
        self._turns: defaultdict[str, t.Iterator[int]] = defaultdict(itertools.count)

    def replace(self, slices: t.Iterable[Object]) -> None:
        """Forget what was known: `slices` is all there is."""
        endpoints: dict[str, list[Endpoint]] = {}
        for endpoint_slice in slices:
            labels = endpoint_slice["metadata"].get("labels", {})
            if SERVICE_LABEL in labels:
                service = public_name(endpoint_slice, labels[SERVICE_LABEL])
                endpoints.setdefault(service, []).extend(endpoints_of(endpoint_slice))
        self.known = True
        self._by_service = {service: tuple(some) for service, some in endpoints.items()}

    def choose(self, service: str, *, but: str = "", unready: bool = False) -> str | None:
        """The next ready address that is not `but`; with `unready`, any rather than none."""
        known = [
            endpoint for endpoint in self._by_service.get(service, ()) if endpoint.address != but
        ]
        usable = [endpoint for endpoint in known if endpoint.ready] or (known if unready else [])
        if not usable:
            return None
        return usable[next(self._turns[service]) % len(usable)].address

    def counts(self, service: str) -> tuple[int, int]:
        known = self._by_service.get(service, ())
        return sum(endpoint.ready for endpoint in known), len(known)


def endpoints_of(endpoint_slice: Object) -> t.Iterator[Endpoint]:
    """The endpoints of one EndpointSlice; its port is the one named http, or else its first."""
    ports = endpoint_slice.get("ports") or []
    if not ports:
        return
    port = next((port for port in ports if port.get("name") == "http"), ports[0])["port"]
    for endpoint in endpoint_slice.get("endpoints") or []:
        conditions = endpoint.get("conditions") or {}
        # Kubernetes: an unknown condition is to be taken as ready.
        ready = conditions.get("ready") is not False
        for address in endpoint.get("addresses", []):
            yield Endpoint(f"{address}:{port}", ready)


# Whole areas of the public API that one service answers under the same path.
AREAS = {"admin": "agent-core", "agents": "agent-core"}


@dataclass(frozen=True)
class Target:
    service: str
    path: str
    """Starts with a slash; has no query."""
    health: bool = False


def resolve(path: str, services: t.Collection[str]) -> Target | None:
    """Where `path` goes, given the services that exist; None when it goes nowhere.

    `/health/<service>` is that service's health; `/admin/…` and `/agents/…` are agent-core's;
    `/internal/<service>/…`, `/<service>/…` and `/<service without -service>/…` are that service's `/…`. In another
    namespace than the platform's a service is `<namespace>/<service>`.
    """
    first, _, rest = path.removeprefix("/").partition("/")
    if first == "health":
        return Target(rest, "/health", health=True) if rest in services else None
    if first in AREAS:
        return Target(AREAS[first], path)
    if first == "internal":
        first, _, rest = rest.partition("/")
        return Target(first, f"/{rest}") if first in services else None
    for service in (first, f"{first}-service"):
        if service in services:
            return Target(service, f"/{rest}")
    second, _, rest = rest.partition("/")
    elsewhere = f"{first}/{second}"
    return Target(elsewhere, f"/{rest}") if elsewhere in services else None


async def follow(
    api: Client, resource: str, on_change: t.Callable[[t.Iterable[Object]], None]
) -> None:
    """Calls `on_change` with all objects whenever one changed. While the API is away, what was known stays."""
    objects: dict[tuple[str, str], Object] = {}
    async for kind, body in api.follow(resource):
        if kind == "LIST":
            objects = {_key(obj): obj for obj in body}
        elif kind == "DELETED":
            objects.pop(_key(body), None)
        else:
            objects[_key(body)] = body
        on_change(objects.values())


def _key(obj: Object) -> tuple[str, str]:
    """A name is its own in its namespace alone."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
