# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at all that a live page tells of: six small requests, and the pins once an attempt."""

from __future__ import annotations

import typing as t

from .._availability.claims import SUBJECTS, attachment_of, facts_of
from .._cluster import Cluster, MonotonicClock
from .._flags.apply import flags_now
from .._gate.store import watches_of
from .._release.store import ReleaseStore
from .._rollout.models import Deployment
from .._status.build import service_version
from .models import Body, Service, Sight


class Observer:
    def __init__(self, release: str) -> None:
        self._release = release
        self._pins: tuple[int, Body] = (0, {})

    def look(self, cluster: Cluster, services: t.Container[str]) -> Sight:
        """Raises what the cluster raises; what is damaged is left out."""
        store = ReleaseStore(cluster, self._release, clock=MonotonicClock())
        record = store.read()
        if record is None:
            return Sight({})
        pins = self._pinned(store, record.attempt)
        return Sight(
            body=record.to_json(),
            services=_services(cluster, services),
            watches=watches_of(store, record.attempt),
            availability=facts_of(store, record.attempt, [attachment_of(one) for one in SUBJECTS]),
            pins=pins["deployments"],
            flags=flags_now(cluster, pins["config_maps"]),
        )

    def _pinned(self, store: ReleaseStore, attempt: int) -> Body:
        known_attempt, known = self._pins
        if known_attempt != attempt or not known.get("deployments"):
            self._pins = attempt, store.pins(attempt).to_summary()
        return self._pins[1]


def _services(cluster: Cluster, names: t.Container[str]) -> dict[str, Service]:
    found = map(Deployment.from_json, cluster.list_objects("Deployment"))
    return {
        one.name: Service(
            service_version(one.name, one.images),
            min(one.counts.updated, one.counts.available),
            one.counts.desired,
            complete=one.complete and one.counts.available >= one.counts.desired,
        )
        for one in found
        if one.name in names
    }
