# SPDX-License-Identifier: GPL-3.0-or-later
"""Events, written once, counted when repeated, combined when many are alike; and the garbage collector.

It deletes objects without an owner, dependents of a deletion, and old Events.
"""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import dataclass, field

from sandbox.kubernetes.controllers.controller import Controller
from sandbox.kubernetes.controllers.objects import (
    Object,
    copied,
    metadata,
    micro_timestamp,
    seconds,
    terminating,
    timestamp,
)
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.kubernetes.controllers.objects import Cluster

# client-go's recorder combines from the tenth different message within ten minutes on.
DISTINCT_MESSAGES = 10
SIMILAR_WITHIN = 600.0
# The API server's --event-ttl.
EXPIRES_AFTER = 3600.0
COMBINED = "(combined from similar events): "


@dataclass
class _Similar:
    messages: dict[str, None] = field(default_factory=dict)
    last_seen: float = 0.0


class Recorder:
    def __init__(self, cluster: Cluster, component: str) -> None:
        self._cluster = cluster
        self._component = component
        self._similar: dict[tuple[str, ...], _Similar] = {}
        self._written: dict[tuple[str, ...], tuple[str, str]] = {}

    def normal(self, about: Object, reason: str, message: str) -> None:
        self._record(about, "Normal", reason, message)

    def warning(self, about: Object, reason: str, message: str) -> None:
        self._record(about, "Warning", reason, message)

    def _record(self, about: Object, kind: str, reason: str, message: str) -> None:
        now = self._cluster.clock()
        alike = (metadata(about)["uid"], kind, reason)
        combined = self._too_many(alike, message, now)
        key = (*alike, COMBINED if combined else message)
        text = COMBINED + message if combined else message
        try:
            if not self._counted(key, text, now):
                event = made_event(about, kind, reason, text, now=now, component=self._component)
                if combined:
                    event["reportingComponent"] = ""
                made = self._cluster.create("events", event)
                self._written[key] = (metadata(made)["namespace"], metadata(made)["name"])
        except ApiError:
            # An event is a courtesy; its namespace may be on its way out.
            return

    def _too_many(self, alike: tuple[str, ...], message: str, now: float) -> bool:
        similar = self._similar.setdefault(alike, _Similar())
        if now - similar.last_seen > SIMILAR_WITHIN:
            similar.messages.clear()
        similar.last_seen = now
        similar.messages[message] = None
        if len(similar.messages) < DISTINCT_MESSAGES:
            return False
        similar.messages.pop(next(iter(similar.messages)))
        return True

    def _counted(self, key: tuple[str, ...], text: str, now: float) -> bool:
        where = self._written.get(key)
        current = self._cluster.find("events", *where) if where else None
        if current is None:
            return False
        event = copied(current)
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = timestamp(now)
        event["message"] = text
        self._cluster.update("events", event)
        return True


def reference(about: Object) -> Object:
    referred = {
        "kind": about["kind"],
        "namespace": metadata(about).get("namespace", ""),
        "name": metadata(about)["name"],
        "uid": metadata(about)["uid"],
        "apiVersion": about["apiVersion"],
        "resourceVersion": metadata(about).get("resourceVersion", ""),
    }
    return {name: value for name, value in referred.items() if value}


def made_event(
    about: Object, kind: str, reason: str, message: str, *, now: float, component: str
) -> Object:
    """A core/v1 Event as client-go's recorder writes it; the name ends in nanoseconds, in hex."""
    namespace = metadata(about).get("namespace") or "default"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata(about)['name']}.{time.time_ns():x}",
            "namespace": namespace,
        },
        "involvedObject": reference(about),
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": timestamp(now),
        "lastTimestamp": timestamp(now),
        "count": 1,
        "type": kind,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }


def scheduler_event(
    about: Object, kind: str, reason: str, message: str, *, now: float, action: str
) -> Object:
    """The newer form, which the scheduler writes: one time with microseconds, no count."""
    event = made_event(about, kind, reason, message, now=now, component="default-scheduler")
    event.update(
        source={},
        firstTimestamp=None,
        lastTimestamp=None,
        eventTime=micro_timestamp(now),
        action=action,
        reportingInstance="default-scheduler-sandbox",
    )
    del event["count"]
    return event


def expired_events(events: t.Iterable[Object], now: float) -> list[Object]:
    def last(event: Object) -> float:
        stamp = event.get("lastTimestamp") or event.get("eventTime")
        return seconds(stamp or metadata(event).get("creationTimestamp"))

    return [event for event in events if now - last(event) > EXPIRES_AFTER]


COLLECTED = (
    "deployments", "replicasets", "pods", "endpointslices", "configmaps", "secrets", "controllerrevisions", "jobs",
)  # fmt: skip
OWNERS = (
    "deployments", "replicasets", "services", "pods", "configmaps", "statefulsets", "daemonsets", "jobs", "cronjobs",
)  # fmt: skip
EVENTS_EVERY = 60.0


class GarbageCollector(Controller):
    """Keys are the uids of owners. Whether one still stands, the reconciliation sees for itself."""

    name = "garbage-collector"
    watched = tuple(dict.fromkeys((*OWNERS, *COLLECTED)))

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:  # noqa: ARG002
        owners = [owner["uid"] for owner in metadata(obj).get("ownerReferences") or ()]
        return owners if previous is None else [*owners, metadata(obj)["uid"]]

    def reconcile(self, key: str) -> float | None:
        if self._stands(key):
            return None
        for resource in COLLECTED:
            for obj in self._cluster.owned(resource, key):
                others = [o["uid"] for o in metadata(obj)["ownerReferences"] if o["uid"] != key]
                if not terminating(obj) and not any(map(self._stands, others)):
                    self._cluster.delete(resource, obj)
        return None

    def _stands(self, uid: str) -> bool:
        owner = self._cluster.with_uid(uid)
        return owner is not None and owner[0] in OWNERS


async def expire_events(cluster: Cluster) -> None:
    while True:
        await asyncio.sleep(EVENTS_EVERY)
        for event in expired_events(cluster.all("events"), cluster.clock()):
            cluster.delete("events", event)
