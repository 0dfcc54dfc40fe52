# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each service's pods listen, as the cluster's EndpointSlices tell it."""

from __future__ import annotations

import itertools
import typing as t
from collections import defaultdict
from dataclasses import dataclass

Object = t.Mapping[str, t.Any]
SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Endpoint:
    """One pod's address, `host:port`, and whether requests may go there."""

    address: str
    ready: bool


class Endpoints:
    """The addresses of all services, chosen in turn."""

    def __init__(self) -> None:
        self._by_service: dict[str, tuple[Endpoint, ...]] = {}
        self._turns: defaultdict[str, t.Iterator[int]] = defaultdict(itertools.count)

    def replace(self, slices: t.Iterable[Object]) -> None:
        """Forget what was known: `slices` is all there is."""
        found: dict[str, list[Endpoint]] = {}
        for one in slices:
            service = one["metadata"].get("labels", {}).get(SERVICE_LABEL)
            if service:
                found.setdefault(service, []).extend(endpoints_of(one))
        self._by_service = {service: tuple(some) for service, some in found.items()}

    def choose(self, service: str, *, but: str = "", unready: bool = False) -> str | None:
        """The next ready address that is not `but`; with `unready`, any rather than none."""
        known = [one for one in self._by_service.get(service, ()) if one.address != but]
        usable = [one for one in known if one.ready] or (known if unready else [])
        if not usable:
            return None
        return usable[next(self._turns[service]) % len(usable)].address

    def counts(self, service: str) -> tuple[int, int]:
        """How many are ready, and how many there are."""
        known = self._by_service.get(service, ())
        return sum(one.ready for one in known), len(known)


def endpoints_of(one: Object) -> t.Iterator[Endpoint]:
    """The endpoints of one EndpointSlice; its port is the one named http, or else its first."""
    ports = one.get("ports") or []
    if not ports:
        return
    port = next((port for port in ports if port.get("name") == "http"), ports[0])["port"]
    for endpoint in one.get("endpoints") or []:
        conditions = endpoint.get("conditions") or {}
        # Kubernetes: an unknown condition is to be taken as ready.
        ready = conditions.get("ready") is not False
        for address in endpoint.get("addresses", []):
            yield Endpoint(f"{address}:{port}", ready)
