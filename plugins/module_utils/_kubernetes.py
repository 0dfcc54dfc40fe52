# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The only code that talks to a Kubernetes cluster: one call each, retried until a deadline."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import quote

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FIELD_MANAGER,
    Clock,
    MonotonicClock,
    Object,
    Operation,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import (
    LONGEST_PAUSE,
    Connection,
    connect,
    retry_after,
    to_error,
    unreachable,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_watch import (
    KubernetesWatch,
)

# The path of the API and the plural, for each of _cluster.KINDS.
APIS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Event": ("/api/v1", "events"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Pod": ("/api/v1", "pods"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Secret": ("/api/v1", "secrets"),
}
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

try:
    import urllib3
    import websocket
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic import DynamicClient
    from kubernetes.stream import stream
except ImportError:
    pass  # the module has said so by its need of KUBERNETES before it gets here

Answer = t.TypeVar("Answer")

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
WRITING = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
DRY = {"dryRun": "All"}
WATCH_SECONDS = 240
"""How long the server is asked to keep a watch open."""
PATIENCE = 20.0
"""Seconds a call keeps trying when its caller named no deadline."""


def load_execution() -> None:
    """Load what running a program in a pod needs: most of a second, which a thread may spend while others wait."""
    _ = client.CoreV1Api


class _Session:
    """A client and what is known of its credentials, shared by a cluster and its twins."""

    def __init__(self, api_client: t.Any) -> None:
        self.use(api_client)
        self.accepted = False
        self.rights: dict[tuple[str, str, str, str], bool] = {}

    def use(self, api_client: t.Any) -> None:
        """The client's own classes for each API would load a second's worth of models, all unused: we read JSON."""
        self.client = api_client
        self.request = DynamicClient(api_client, discoverer=lambda *_all: None).request


class KubernetesCluster:
    """_cluster.Cluster over the official client."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        deadline: float | None = None,
    ) -> None:
        self.namespace = connection.namespace
        self._connection = connection
        self._clock: Clock = clock or MonotonicClock()
        self._deadline = deadline
        self._session = _Session(connect(connection))

    def until(self, deadline: float) -> KubernetesCluster:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _deadline=deadline)
        return twin

    def read(self, kind: str, name: str) -> Object | None:
        try:
            return self._json(f"read {kind} {name!r}", "GET", self._path(kind, name))
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                return None
            raise

    def list_objects(
        self, kind: str, *, label_selector: str = "", field_selector: str = ""
    ) -> t.Sequence[Object]:
        selectors = _selectors(label_selector, field_selector)
        found = self._json(f"list {kind} objects", "GET", self._path(kind), query=selectors)
        return t.cast("t.Sequence[Object]", found.get("items") or [])

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
            data = self._once("GET", path, self._clock.now() + CONNECT_TIMEOUT, query=selectors)
            return t.cast("Object", json.loads(data))

        def open_stream(version: str) -> t.Any:
            following = {
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            return self._session.request(
                "GET",
                path,
                query_params=[*{**selectors, **following}.items()],
                serialize=False,
                _request_timeout=(CONNECT_TIMEOUT, WATCH_SECONDS + 15),
            )

        return KubernetesWatch(list_objects, open_stream, wake)

    def create(self, kind: str, body: Object) -> Object:
        what = f"create {kind} {body['metadata']['name']!r}"
        return self._json(what, "POST", self._path(kind), body=body, query=WRITING)

    def replace(self, kind: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        path = self._path(kind, name)
        return self._json(f"replace {kind} {name!r}", "PUT", path, body=body, query=WRITING)

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        return self._json(
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
        return self._json(
            f"apply {kind} {name!r}",
            "PATCH",
            self._path(kind, name),
            body=body,
            content_type=APPLY_PATCH,
            query={**WRITING, **forced, **(DRY if dry_run else {})},
        )

    def delete(self, kind: str, name: str) -> None:
        try:
            self._json(f"delete {kind} {name!r}", "DELETE", self._path(kind, name))
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
        previous: bool = False,
    ) -> str:
        limits = {"tailLines": tail_lines, "limitBytes": limit_bytes}
        given = {name: str(value) for name, value in limits.items() if value is not None}
        text = self._ask(
            f"read the log of container {container!r} in pod {pod!r}",
            "GET",
            f"{self._path('Pod', pod)}/log",
            query={"container": container, "previous": "true" if previous else "false", **given},
        )
        return text.decode("utf-8", errors="replace")

    def may(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        key = (verb, group, resource, subresource)
        if key not in self._session.rights:
            wanted = {
                "namespace": self.namespace,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
            }
            found = self._json(
                f"ask whether you may {verb} {resource}",
                "POST",
                REVIEWS,
                body={
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": wanted},
                },
            )
            self._session.rights[key] = bool(found["status"].get("allowed"))
        return self._session.rights[key]

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        what = f"run {command[0]!r} in container {container!r} of pod {pod!r}"
        code, out, err = self._call(
            what, lambda _give_up: self._run_in_pod(pod, container, [*command])
        )
        if code != 0:
            raise RefusedError(f"Could not {what}: it ended with code {code}: {err.strip()[:300]}")
        return out

    def _run_in_pod(self, pod: str, container: str, command: list[str]) -> tuple[int, str, str]:
        # The client's websocket would wait for its handshake for ever.
        usual = websocket.getdefaulttimeout()
        websocket.setdefaulttimeout(CONNECT_TIMEOUT)
        try:
            session = stream(
                client.CoreV1Api(self._session.client).connect_get_namespaced_pod_exec,
                name=pod,
                namespace=self.namespace,
                container=container,
                command=command,
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
        except ApiException as exc:
            # The client hides the status of a refused handshake in its words.
            refused = exc.__context__
            if isinstance(refused, websocket.WebSocketBadStatusException):
                exc.status, exc.body = refused.status_code, refused.resp_body
            raise
        finally:
            websocket.setdefaulttimeout(usual)
        session.run_forever(timeout=READ_TIMEOUT)
        code = session.returncode
        out, err = session.read_stdout(), session.read_stderr()
        session.close()
        return (124 if code is None else code, out, err)

    def _path(self, kind: str, name: str = "") -> str:
        api, plural = APIS[kind]
        path = f"{api}/namespaces/{quote(self.namespace, safe='')}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _json(self, what: str, method: str, path: str, **more: t.Any) -> Object:
        return t.cast("Object", json.loads(self._ask(what, method, path, **more)))

    def _ask(self, what: str, method: str, path: str, **more: t.Any) -> bytes:
        return self._call(what, lambda give_up: self._once(method, path, give_up, **more))

    def _call(self, what: str, once: t.Callable[[float], Answer]) -> Answer:
        """Call until it works, is refused, or the deadline passes.

        Safe for writes too: each carries a `test`, a resourceVersion or a name that may exist only
        once, so a repeated one is answered with a conflict and its caller looks again.
        """
        give_up = self._deadline or self._clock.now() + PATIENCE
        attempt = 0
        while True:
            try:
                answer = once(give_up)
            except ApiException as exc:
                failure, pause = to_error(exc, what, self.namespace), retry_after(exc)
                if exc.status == 401 and self._renewed(first=attempt == 0):
                    pause = min(0.5 * attempt, LONGEST_PAUSE)
                elif not isinstance(failure, UnreachableError):
                    self._session.accepted |= exc.status != 401
                    raise failure from None
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                failure, pause = unreachable(exc, what), None
            else:
                self._session.accepted = True
                return answer
            pause = pause if pause is not None else min(0.5 * 2**attempt, LONGEST_PAUSE)
            if self._clock.now() + pause > give_up:
                raise failure from None
            self._clock.sleep(pause)
            attempt += 1

    def _renewed(self, *, first: bool) -> bool:
        """Whether it makes sense to try again after a 401, with what the kubeconfig holds by now.

        Credentials that were accepted have expired, and whoever renews them needs a moment; others
        are tried once more.
        """
        if self._connection.host:
            return False
        if first or self._session.accepted:
            self._session.use(connect(self._connection))
            return True
        return False

    def _once(
        self,
        method: str,
        path: str,
        give_up: float,
        *,
        query: t.Mapping[str, str] | None = None,
        **more: t.Any,
    ) -> bytes:
        # A server that hangs must not hold a caller longer than it wanted to wait.
        left = min(READ_TIMEOUT, max(give_up - self._clock.now(), 1.0))
        response = self._session.request(
            method,
            path,
            query_params=[*(query or {}).items()],
            serialize=False,
            _request_timeout=(min(CONNECT_TIMEOUT, left), left),
            **more,
        )
        try:
            return t.cast("bytes", response.read() if not response.closed else response.data)
        finally:
            response.release_conn()


def _selectors(label: str, field: str) -> dict[str, str]:
    selectors = {"labelSelector": label, "fieldSelector": field}
    return {name: value for name, value in selectors.items() if value}
