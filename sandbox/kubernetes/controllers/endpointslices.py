# SPDX-License-Identifier: GPL-3.0-or-later
"""The EndpointSlice controller: the addresses of a Service's pods, each ready when its pod is."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers.controller import Controller
from sandbox.kubernetes.controllers.objects import (
    Object,
    copied,
    key_of,
    labels_of,
    metadata,
    owner_reference,
    pod_ready,
    terminating,
    timestamp,
)
from sandbox.kubernetes.lifecycle import random_suffix

if t.TYPE_CHECKING:
    pass

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


def selects(service: Object, carried: t.Mapping[str, str]) -> bool:
    selector = service["spec"].get("selector") or {}
    return bool(selector) and all(carried.get(name) == value for name, value in selector.items())


def endpoint(service: Object, pod: Object) -> Object | None:
    """A pod as an endpoint; None while it has no address or when it is finished.

    `ready` is what load balancers go by: false as soon as the pod is to be deleted. `serving` still
    tells whether it answers.
    """
    status = pod.get("status") or {}
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    serving = pod_ready(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    return {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": always or (serving and not terminating(pod)),
            "serving": serving,
            "terminating": terminating(pod),
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": metadata(pod)["namespace"],
            "name": metadata(pod)["name"],
            "uid": metadata(pod)["uid"],
        },
        "nodeName": pod["spec"]["nodeName"],
    }


def endpoints(
    service: Object, pods: t.Iterable[Object], before: t.Sequence[Object]
) -> list[Object]:
    """The endpoints of a Service: those that stood keep their place, new ones are put last."""
    by_pod = {
        made["targetRef"]["uid"]: made
        for pod in pods
        if selects(service, labels_of(pod)) and (made := endpoint(service, pod)) is not None
    }
    standing = [by_pod.pop(uid) for entry in before if (uid := entry["targetRef"]["uid"]) in by_pod]
    return [*standing, *by_pod.values()]


def ports(service: Object, pods: t.Iterable[Object]) -> list[Object]:
    pods = list(pods)
    made = []
    for port in service["spec"].get("ports") or ():
        number = _target_port(port, pods)
        if number is not None:
            entry = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP")}
            made.append({**entry, "port": number})
    return made


def _target_port(port: Object, pods: t.Iterable[Object]) -> int | None:
    """A number, or the container port of that name in the first pod that has it."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for offered in container.get("ports") or ():
                if offered.get("name") == target:
                    return int(offered["containerPort"])
    return None


class EndpointSliceController(Controller):
    name = "endpointslice-controller"
    watched = ("services", "pods")

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == "services":
            return [key_of(obj)]
        versions = [entry for entry in (obj, previous) if entry is not None]
        return [
            key_of(service)
            for service in self._cluster.all("services", metadata(obj)["namespace"])
            if any(selects(service, labels_of(entry)) for entry in versions)
        ]

    def reconcile(self, key: str) -> float | None:
        namespace, name = key.split("/")
        service = self._cluster.find("services", namespace, name)
        if service is None or not service["spec"].get("selector"):
            return None  # without a selector the addresses are somebody else's
        pods = [
            pod for pod in self._cluster.all("pods", namespace) if selects(service, labels_of(pod))
        ]
        standing = self._slice(service)
        before = standing.get("endpoints") or [] if standing else []
        body = {"endpoints": endpoints(service, pods, before), "ports": ports(service, pods)}
        if standing is None:
            self._cluster.create("endpointslices", self._made(service, body))
        elif any((standing.get(part) or []) != body[part] for part in body):
            changed = copied(standing) | body
            metadata(changed)["annotations"] = self._trigger()
            self._cluster.update("endpointslices", changed)
        return None

    def _slice(self, service: Object) -> Object | None:
        owned = self._cluster.owned("endpointslices", metadata(service)["uid"])
        name = metadata(service)["name"]
        return next((entry for entry in owned if labels_of(entry).get(SERVICE_NAME) == name), None)

    def _trigger(self) -> dict[str, str]:
        return {TRIGGERED: timestamp(self._cluster.clock())}

    def _made(self, service: Object, body: Object) -> Object:
        name = metadata(service)["name"]
        owner = owner_reference(service, api_version="v1", kind="Service")
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{random_suffix()}",
                "generateName": f"{name}-",
                "namespace": metadata(service)["namespace"],
                "labels": {
                    **labels_of(service),
                    MANAGED_BY: "endpointslice-controller.k8s.io",
                    SERVICE_NAME: name,
                },
                "annotations": self._trigger(),
                "ownerReferences": [owner],
            },
            "addressType": "IPv4",
            **body,
        }
