# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a Kubernetes cluster, by the paths of its API. _kubernetes_calls.py sends it."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from ._arguments import user_here
from ._cluster import (
    FIELD_MANAGER,
    Clock,
    MonotonicClock,
    Object,
    ObjectList,
    Operation,
    read_object,
)
from ._decode import under
from ._errors import InputError, RefusedError, refuse_missing
from ._formats import read_json
from ._kubernetes_calls import CONNECT_TIMEOUT, DOUBT_PAUSE, Calls, run_in_container
from ._kubernetes_client import KUBERNETES, Connection, KubernetesWatch
from ._module import Module
from ._redaction import excerpt

# The path of the API and the plural, for each kind that is worked with.
APIS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
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
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
}
WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
WRITING = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
DRY = {"dryRun": "All"}
LIMITS = {"tail_lines": "tailLines", "limit_bytes": "limitBytes", "since_seconds": "sinceSeconds"}
WATCH_SECONDS = 240
"""How long the server is asked to keep a watch open."""


@dataclass(frozen=True)
class _Review:
    username: str = under("status.userInfo.username")


@dataclass(frozen=True)
class _AccessReview:
    allowed: bool = under("status.allowed", required=True)


class KubernetesCluster(Calls):
    """_cluster.Cluster over the official client."""

    def __init__(self, connection: Connection, *, clock: Clock | None = None) -> None:
        super().__init__(connection, clock or MonotonicClock())
        self.namespace = connection.namespace
        self._rights: dict[tuple[tuple[str, str], ...], bool] = {}

    def read(self, kind: str, name: str) -> Object | None:
        try:
            return self.json(f"read {kind} {name!r}", "GET", self._path(kind, name))
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                return None
            raise

    def list_objects(self, kind: str, **selectors: str) -> t.Sequence[Object]:
        query = _selectors(**selectors)
        what = f"list {kind} objects"
        result = self.json(what, "GET", self._path(kind), query=query)
        return read_object(ObjectList, result, f"{kind} list").items

    def watch(self, kind: str, wake: t.Callable[[], None], **selectors: str) -> KubernetesWatch:
        query, path = _selectors(**selectors), self._path(kind)

        def list_objects() -> Object:
            give_up = self.clock.now() + CONNECT_TIMEOUT
            data = self.once("GET", path, give_up, query=query)
            return t.cast("Object", read_json(data))

        def open_stream(version: str) -> t.Any:
            following = {
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            return self.stream(path, {**query, **following}, WATCH_SECONDS + 15)

        return KubernetesWatch(list_objects, open_stream, wake)

    def create(self, kind: str, body: Object) -> Object:
        what = f"create {kind} {body['metadata']['name']!r}"
        return self.json(what, "POST", self._path(kind), body=body, query=WRITING)

    def replace(self, kind: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        path = self._path(kind, name)
        return self.json(f"replace {kind} {name!r}", "PUT", path, body=body, query=WRITING)

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        return self.json(
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
        return self.json(
            f"apply {kind} {name!r}",
            "PATCH",
            self._path(kind, name),
            body=body,
            content_type=APPLY_PATCH,
            query={**WRITING, **forced, **(DRY if dry_run else {})},
        )

    def delete(self, kind: str, name: str) -> None:
        try:
            self.json(f"delete {kind} {name!r}", "DELETE", self._path(kind, name))
        except RefusedError as exc:
            if exc.details.get("status") != 404:
                raise

    def log(self, pod: str, container: str, *, previous: bool = False, **limits: int | None) -> str:
        given = {LIMITS[name]: str(value) for name, value in limits.items() if value is not None}
        text = self.ask(
            f"read the log of container {container!r} in pod {pod!r}",
            "GET",
            f"{self._path('Pod', pod)}/log",
            query={"container": container, "previous": "true" if previous else "false", **given},
        )
        return text.decode("utf-8", errors="replace")

    def account(self) -> str:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.json("ask who this is", "POST", WHO_AM_I, body=review)
        except RefusedError:
            return ""
        return read_object(_Review, answer, "SelfSubjectReview").username

    def may(self, verb: str, resource: str, **where: str) -> bool:
        namespace = where.get("namespace") or self.namespace
        wanted = {"verb": verb, "resource": resource, **where, "namespace": namespace}
        key = tuple(sorted(wanted.items()))
        if key not in self._rights:
            right = f"{verb} {resource}/{where.get('subresource', '')}"
            self._rights[key] = self._reviewed(right, wanted)
        return self._rights[key]

    def _reviewed(self, right: str, wanted: Object) -> bool:
        """As the server reviews it; what its caches do not know yet is no denial."""
        began = self.clock.now()
        while True:
            review = self.json(
                f"ask whether you may {wanted['verb']} {wanted['resource']}",
                "POST",
                REVIEWS,
                body={
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": wanted},
                },
            )
            allowed = read_object(_AccessReview, review, "SelfSubjectAccessReview").allowed
            if allowed or not self.doubts(right, began):
                return allowed
            self.clock.sleep(DOUBT_PAUSE)

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        what = f"run {command[0]!r} in container {container!r} of pod {pod!r}"
        code, out, err = self.call(
            what,
            lambda _give_up: run_in_container(
                self.client,
                self._path("Pod", pod),
                container,
                command,
                self._connection.impersonation(),
            ),
            right="exec pods",
        )
        if code != 0:
            raise RefusedError(f"Could not {what}: it ended with code {code}: {excerpt(err, 300)}")
        return out

    def proxy(self, pod: str, port: int, path: str, *, tls: bool = False) -> str:
        name = f"{'https:' if tls else ''}{pod}:{port}"
        text = self.ask(
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


def _selectors(label_selector: str = "", field_selector: str = "") -> dict[str, str]:
    selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
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


def actor_of(params: t.Mapping[str, t.Any]) -> str:
    """Who acts: as the task says, else the user of this machine."""
    return params["actor"] or f"{user_here()}@{socket.gethostname()}"
