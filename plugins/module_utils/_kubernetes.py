# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a Kubernetes cluster, by the paths of its API. _kubernetes_calls.py sends it."""

from __future__ import annotations

import json
import socket
import typing as t
from urllib.parse import quote

from ._arguments import user_here
from ._cluster import FIELD_MANAGER, Clock, MonotonicClock, Object, Operation
from ._errors import InputError, RefusedError, refuse_missing
from ._kubernetes_calls import CONNECT_TIMEOUT, DOUBT_PAUSE, Calls, run_in_container
from ._kubernetes_client import KUBERNETES, Connection, KubernetesWatch
from ._module import Module
from ._redaction import excerpt

# The path of the API and the plural, for each kind that is worked with.
APIS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Event": ("/api/v1", "events"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Pod": ("/api/v1", "pods"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "PrometheusRule": ("/apis/monitoring.coreos.com/v1", "prometheusrules"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Secret": ("/api/v1", "secrets"),
}
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
WRITING = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
DRY = {"dryRun": "All"}
WATCH_SECONDS = 240
"""How long the server is asked to keep a watch open."""


class KubernetesCluster:
    """_cluster.Cluster over the official client."""

    def __init__(self, connection: Connection, *, clock: Clock | None = None) -> None:
        self.namespace = connection.namespace
        self._calls = Calls(connection, clock or MonotonicClock())
        self._rights: dict[tuple[str, ...], bool] = {}

    def until(self, deadline: float) -> KubernetesCluster:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _calls=self._calls.until(deadline))
        return twin

    def read(self, kind: str, name: str) -> Object | None:
        try:
            return self._calls.json(f"read {kind} {name!r}", "GET", self._path(kind, name))
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                return None
            raise

    def list_objects(
        self, kind: str, *, label_selector: str = "", field_selector: str = ""
    ) -> t.Sequence[Object]:
        selectors = _selectors(label_selector, field_selector)
        result = self._calls.json(f"list {kind} objects", "GET", self._path(kind), query=selectors)
        return t.cast("t.Sequence[Object]", result.get("items") or [])

    def watch(
        self,
        kind: str,
        wake: t.Callable[[], None],
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> KubernetesWatch:
        selectors, path = _selectors(label_selector, field_selector), self._path(kind)

        def list_objects() -> Object:
            give_up = self._calls.clock.now() + CONNECT_TIMEOUT
            data = self._calls.once("GET", path, give_up, query=selectors)
            return t.cast("Object", json.loads(data))

        def open_stream(version: str) -> t.Any:
            following = {
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            return self._calls.stream(path, {**selectors, **following}, WATCH_SECONDS + 15)

        return KubernetesWatch(list_objects, open_stream, wake)

    def create(self, kind: str, body: Object) -> Object:
        what = f"create {kind} {body['metadata']['name']!r}"
        return self._calls.json(what, "POST", self._path(kind), body=body, query=WRITING)

    def replace(self, kind: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        path = self._path(kind, name)
        return self._calls.json(f"replace {kind} {name!r}", "PUT", path, body=body, query=WRITING)

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        return self._calls.json(
            f"patch {kind} {name!r}",
            "PATCH",
            self._path(kind, name),
            body=[*operations],
            content_type=JSON_PATCH,
            query={**WRITING, **(DRY if dry_run else {})},
        )

    def apply(
        self, kind: str, body: Object, *, force: bool = False, dry_run: bool = False
    ) -> Object:
        name = body["metadata"]["name"]
        forced = {"force": "true" if force else "false"}
        return self._calls.json(
            f"apply {kind} {name!r}",
            "PATCH",
            self._path(kind, name),
            body=body,
            content_type=APPLY_PATCH,
            query={**WRITING, **forced, **(DRY if dry_run else {})},
        )

    def delete(self, kind: str, name: str) -> None:
        try:
            self._calls.json(f"delete {kind} {name!r}", "DELETE", self._path(kind, name))
        except RefusedError as exc:
            if exc.details.get("status") != 404:
                raise

    def log(
        self,
        pod: str,
        container: str,
        *,
        tail_lines: int | None = None,
        limit_bytes: int | None = None,
        since_seconds: int | None = None,
        previous: bool = False,
    ) -> str:
        limits = {"tailLines": tail_lines, "limitBytes": limit_bytes, "sinceSeconds": since_seconds}
        given = {name: str(value) for name, value in limits.items() if value is not None}
        text = self._calls.ask(
            f"read the log of container {container!r} in pod {pod!r}",
            "GET",
            f"{self._path('Pod', pod)}/log",
            query={"container": container, "previous": "true" if previous else "false", **given},
        )
        return text.decode("utf-8", errors="replace")

    def may(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        subresource: str = "",
        namespace: str = "",
    ) -> bool:
        key = (namespace, verb, group, resource, subresource)
        if key not in self._rights:
            wanted = {
                "namespace": namespace or self.namespace,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
            }
            self._rights[key] = self._reviewed(f"{verb} {resource}/{subresource}", wanted)
        return self._rights[key]

    def _reviewed(self, right: str, wanted: Object) -> bool:
        """As the server reviews it; what its caches do not know yet is no denial."""
        began = self._calls.clock.now()
        while True:
            review = self._calls.json(
                f"ask whether you may {wanted['verb']} {wanted['resource']}",
                "POST",
                REVIEWS,
                body={
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": wanted},
                },
            )
            allowed = bool(review["status"].get("allowed"))
            if allowed or not self._calls.doubts(right, began):
                return allowed
            self._calls.clock.sleep(DOUBT_PAUSE)

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        what = f"run {command[0]!r} in container {container!r} of pod {pod!r}"
        ended = self._calls.call(
            what,
            lambda _give_up: run_in_container(
                self._calls.client, self._path("Pod", pod), container, command
            ),
            right="exec pods",
        )
        if ended.code != 0:
            raise RefusedError(
                f"Could not {what}: it ended with code {ended.code}: {excerpt(ended.err, 300)}"
            )
        return ended.out

    def proxy(self, pod: str, port: int, path: str, *, tls: bool = False) -> str:
        name = f"{'https:' if tls else ''}{pod}:{port}"
        text = self._calls.ask(
            f"get /{path} of port {port} of pod {pod!r}",
            "GET",
            f"{self._path('Pod', name)}/proxy/{path}",
        )
        return text.decode("utf-8", errors="replace")

    def _path(self, kind: str, name: str = "") -> str:
        api, plural = APIS[kind]
        path = f"{api}/namespaces/{_step('Namespace', self.namespace)}/{plural}"
        return f"{path}/{_step(kind, name)}" if name else path


def _step(kind: str, name: str) -> str:
    """A name as one step of a path. Clients take `..` for the step above: deleting it would delete the namespace."""
    if name in (".", ".."):
        raise InputError(
            f"No {kind} can be named {name!r}, and in a path it would name another object: give the name it has."
        )
    return quote(name, safe="")


def _selectors(label: str, field: str) -> dict[str, str]:
    selectors = {"labelSelector": label, "fieldSelector": field}
    return {name: value for name, value in selectors.items() if value}


def cluster_for(module: Module) -> KubernetesCluster:
    return cluster_at(module, module.params)


def cluster_at(module: Module, params: t.Mapping[str, t.Any]) -> KubernetesCluster:
    """The cluster of `kubernetes_options`, wherever in the parameters they stand."""
    connection = Connection.from_params(params)
    if connection.host and not connection.validate_certs:
        module.warn("The certificate of the API server is not verified: anyone between may read.")
    return KubernetesCluster(connection)


def cluster_elsewhere(module: Module) -> KubernetesCluster:
    """The cluster of the option `kubernetes`, of a module whose own work needs no library for it."""
    refuse_missing([KUBERNETES])
    return cluster_at(module, module.params["kubernetes"])


def opener_for(module: Module) -> t.Callable[[], KubernetesCluster]:
    """Makes a client of its own at each call, for threads that each need one. Warns once."""
    first = [cluster_for(module)]
    connection = Connection.from_params(module.params)
    return lambda: first.pop() if first else KubernetesCluster(connection)


def actor_of(params: t.Mapping[str, t.Any]) -> str:
    """Who acts: as the task says, else the user of this machine."""
    return params["actor"] or f"{user_here()}@{socket.gethostname()}"
