# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The only code that talks to a Kubernetes cluster: one call each, retried until a deadline."""

from __future__ import annotations

import json
import typing as t

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

# The class of the client and the word in its method names, for each of _cluster.KINDS.
APIS = {
    "ConfigMap": ("CoreV1Api", "config_map"),
    "Deployment": ("AppsV1Api", "deployment"),
    "Event": ("CoreV1Api", "event"),
    "HorizontalPodAutoscaler": ("AutoscalingV2Api", "horizontal_pod_autoscaler"),
    "Lease": ("CoordinationV1Api", "lease"),
    "Pod": ("CoreV1Api", "pod"),
    "PodDisruptionBudget": ("PolicyV1Api", "pod_disruption_budget"),
    "ReplicaSet": ("AppsV1Api", "replica_set"),
    "ResourceQuota": ("CoreV1Api", "resource_quota"),
    "Secret": ("CoreV1Api", "secret"),
}

try:
    import urllib3
    import websocket
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import stream

    # The client loads these half a second each when first named: before the controller forks, not
    # once in each of its forks.
    for _api in ("AuthorizationV1Api", *(api for api, _word in APIS.values())):
        getattr(client, _api)
except ImportError:
    pass  # the module has said so by its need of KUBERNETES before it gets here

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
WATCH_SECONDS = 240
"""How long the server is asked to keep a watch open."""
PATIENCE = 20.0
"""Seconds a call keeps trying when its caller named no deadline."""


class _Session:
    """A client and what is known of its credentials, shared by a cluster and its twins."""

    def __init__(self, api_client: t.Any) -> None:
        self.client = api_client
        self.accepted = False
        self.rights: dict[tuple[str, str, str, str], bool] = {}


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
            return self._json(f"read {kind} {name!r}", kind, "read", name=name)
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                return None
            raise

    def list_objects(
        self, kind: str, *, label_selector: str = "", field_selector: str = ""
    ) -> t.Sequence[Object]:
        selectors = {"label_selector": label_selector, "field_selector": field_selector}
        wanted = {name: value for name, value in selectors.items() if value}
        found = self._json(f"list {kind} objects", kind, "list", **wanted)
        return t.cast("t.Sequence[Object]", found.get("items") or [])

    def watch(
        self,
        kind: str,
        wake: t.Callable[[], None],
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> KubernetesWatch:
        selectors = {"label_selector": label_selector, "field_selector": field_selector}
        wanted: dict[str, t.Any] = {name: one for name, one in selectors.items() if one}
        api, word = APIS[kind]

        def listing() -> t.Callable[..., t.Any]:
            return self._method(api, f"list_namespaced_{word}")

        def list_objects() -> Object:
            data = self._once(listing(), self._clock.now() + CONNECT_TIMEOUT, **wanted)
            return t.cast("Object", json.loads(data))

        def open_stream(version: str) -> t.Any:
            return listing()(
                namespace=self.namespace,
                watch=True,
                resource_version=version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_SECONDS,
                _preload_content=False,
                _request_timeout=(CONNECT_TIMEOUT, WATCH_SECONDS + 15),
                **wanted,
            )

        return KubernetesWatch(list_objects, open_stream, wake)

    def create(self, kind: str, body: Object) -> Object:
        return self._json(
            f"create {kind} {body['metadata']['name']!r}",
            kind,
            "create",
            body=body,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
        )

    def replace(self, kind: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        return self._json(
            f"replace {kind} {name!r}",
            kind,
            "replace",
            name=name,
            body=body,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
        )

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        return self._json(
            f"patch {kind} {name!r}",
            kind,
            "patch",
            name=name,
            body=[*operations],
            _content_type=JSON_PATCH,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
            **({"dry_run": "All"} if dry_run else {}),
        )

    def apply(
        self, kind: str, body: Object, *, force: bool = False, dry_run: bool = False
    ) -> Object:
        name = body["metadata"]["name"]
        return self._json(
            f"apply {kind} {name!r}",
            kind,
            "patch",
            name=name,
            body=body,
            _content_type=APPLY_PATCH,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
            force=force,
            **({"dry_run": "All"} if dry_run else {}),
        )

    def delete(self, kind: str, name: str) -> None:
        try:
            self._json(f"delete {kind} {name!r}", kind, "delete", name=name)
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
        limits = {"tail_lines": tail_lines, "limit_bytes": limit_bytes}
        text = self._call(
            f"read the log of container {container!r} in pod {pod!r}",
            lambda: self._method("CoreV1Api", "read_namespaced_pod_log"),
            name=pod,
            container=container,
            previous=previous,
            **{name: value for name, value in limits.items() if value is not None},
        )
        return t.cast("bytes", text).decode("utf-8", errors="replace")

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
            data = self._call(
                f"ask whether you may {verb} {resource}",
                lambda: self._method("AuthorizationV1Api", "create_self_subject_access_review"),
                namespaced=False,
                body={
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": wanted},
                },
            )
            self._session.rights[key] = bool(json.loads(data)["status"].get("allowed"))
        return self._session.rights[key]

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        what = f"run {command[0]!r} in container {container!r} of pod {pod!r}"
        output = self._call(
            what,
            lambda: self._run_in_pod,
            pod=pod,
            container=container,
            command=[*command],
        )
        code, out, err = t.cast("tuple[int, str, str]", output)
        if code != 0:
            raise RefusedError(f"Could not {what}: it ended with code {code}: {err.strip()[:300]}")
        return out

    def _run_in_pod(self, *, pod: str, container: str, command: list[str]) -> tuple[int, str, str]:
        # The client's websocket would wait for its handshake for ever.
        usual = websocket.getdefaulttimeout()
        websocket.setdefaulttimeout(CONNECT_TIMEOUT)
        try:
            session = stream(
                self._method("CoreV1Api", "connect_get_namespaced_pod_exec"),
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

    def _method(self, api: str, name: str) -> t.Callable[..., t.Any]:
        return t.cast(
            "t.Callable[..., t.Any]", getattr(getattr(client, api)(self._session.client), name)
        )

    def _json(self, what: str, kind: str, verb: str, **arguments: t.Any) -> Object:
        api, word = APIS[kind]
        data = self._call(what, lambda: self._method(api, f"{verb}_namespaced_{word}"), **arguments)
        return t.cast("Object", json.loads(data))

    def _call(
        self, what: str, method: t.Callable[[], t.Callable[..., t.Any]], **arguments: t.Any
    ) -> t.Any:
        """Call until it works, is refused, or the deadline passes.

        Safe for writes too: each carries a `test`, a resourceVersion or a name that may exist only
        once, so a repeated one is answered with a conflict and its caller looks again.
        """
        give_up = self._deadline or self._clock.now() + PATIENCE
        attempt = 0
        while True:
            try:
                answer = self._once(method(), give_up, **arguments)
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
            self._session.client = connect(self._connection)
            return True
        return False

    def _once(
        self,
        method: t.Callable[..., t.Any],
        give_up: float,
        *,
        namespaced: bool = True,
        **arguments: t.Any,
    ) -> t.Any:
        if method == self._run_in_pod:
            return method(**arguments)
        # A server that hangs must not hold a caller longer than it wanted to wait.
        left = min(READ_TIMEOUT, max(give_up - self._clock.now(), 1.0))
        if namespaced:
            arguments["namespace"] = self.namespace
        response = method(
            _preload_content=False,
            _request_timeout=(min(CONNECT_TIMEOUT, left), left),
            **arguments,
        )
        try:
            return response.read() if not response.closed else response.data
        finally:
            response.release_conn()
