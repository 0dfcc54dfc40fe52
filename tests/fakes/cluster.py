"""A cluster in memory: objects with versions and generations, JSON Patch, server-side apply of data and annotations.

`tick` stands for the controllers: FakeClock calls it while time passes.
"""

from __future__ import annotations

import copy
import itertools
import typing as t

import jsonpatch

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FIELD_MANAGER,
    Object,
    Operation,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
    UnreachableError,
)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0
        self.listeners: list[t.Callable[[], None]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for listener in self.listeners:
            listener()


class BlindWatch:
    def objects(self) -> None:
        return None

    def listed(self, _seconds: float) -> bool:
        return False

    def close(self) -> None:
        return


class MemoryCluster:
    namespace = "easymo-prod"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.logs: dict[str, str] = {}
        self.environments: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.requests: list[str] = []
        self.writes: list[str] = []
        self.out_of_sight = False
        self.denied: set[str] = set()
        """Verbs and resources that may not be used, as in `patch deployments`."""
        self.before_write: t.Callable[[], None] = lambda: None
        self._versions = itertools.count(1)

    def until(self, deadline: float) -> MemoryCluster:
        return self

    def put(self, kind: str, body: Object) -> Object:
        """Store as the server would, outside of any request."""
        body = copy.deepcopy(body)
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[kind, body["metadata"]["name"]] = body
        return copy.deepcopy(body)

    def read(self, kind: str, name: str) -> Object | None:
        self._request(f"read {kind}")
        return copy.deepcopy(self.objects.get((kind, name)))

    def list_objects(self, kind: str, **selectors: str) -> t.Sequence[Object]:
        self._request(f"list {kind}")
        label_selector = selectors.get("label_selector", "")
        # Without its key an object is unequal to everything, as for the API server.
        unequal = [one.split("!=") for one in label_selector.split(",") if "!=" in one]
        wanted = [
            one.partition("=") for one in label_selector.split(",") if one and "!=" not in one
        ]
        return [
            copy.deepcopy(body)
            for (other, _name), body in self.objects.items()
            if other == kind
            for labels in [body["metadata"].get("labels") or {}]
            if all(key in labels and (not equal or labels[key] == to) for key, equal, to in wanted)
            and all(labels.get(key) != value for key, value in unequal)
        ]

    def watch(self, kind: str, wake: t.Callable[[], None], **selectors: str) -> BlindWatch:
        """Nothing: whoever watches here has to look."""
        return BlindWatch()

    def create(self, kind: str, body: Object) -> Object:
        self._write(f"create {kind}")
        if (kind, body["metadata"]["name"]) in self.objects:
            raise ConflictError("it exists already", status=409)
        return self.put(kind, body)

    def replace(self, kind: str, body: Object) -> Object:
        self._write(f"replace {kind}")
        known = self.objects.get((kind, body["metadata"]["name"]))
        if known is None:
            raise RefusedError("not found", status=404)
        if body["metadata"]["resourceVersion"] != known["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", status=409)
        return self.put(kind, body)

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        self._write(f"patch {kind}", dry_run=dry_run)
        known = self.objects[kind, name]
        try:
            patched = jsonpatch.apply_patch(known, operations)
        except jsonpatch.JsonPatchException as exc:
            raise ConflictError(str(exc), status=422) from exc
        face = ("spec", "metadata")
        if kind == "Deployment" and any(patched[one] != known[one] for one in face):
            patched["metadata"]["generation"] += 1
        return patched if dry_run else self.put(kind, patched)

    def apply(
        self, kind: str, body: Object, *, force: bool = False, dry_run: bool = False
    ) -> Object:
        self._write(f"apply {kind}", dry_run=dry_run)
        name = body["metadata"]["name"]
        known = self.objects.get((kind, name))
        version = body["metadata"].get("resourceVersion")
        if known is not None and version not in (None, known["metadata"]["resourceVersion"]):
            raise ConflictError("the object has been modified", status=409)
        applied = _apply_data(known, body, force=force)
        return applied if dry_run else self.put(kind, applied)

    def delete(self, kind: str, name: str) -> None:
        self._write(f"delete {kind}")
        self.objects.pop((kind, name), None)

    def log(self, pod: str, container: str, **limits: t.Any) -> str:
        self._request("log")
        return self.logs.get(pod, "")

    def account(self) -> str:
        return "system:serviceaccount:easymo-prod:deployer"

    def may(self, verb: str, resource: str, **_where: str) -> bool:
        self._request(f"review {verb} {resource}")
        return f"{verb} {resource}" not in self.denied

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        self._request("execute")
        if pod not in self.environments:
            raise RefusedError("not found", status=404)
        return self.environments[pod]

    def proxy(self, pod: str, port: int, path: str, *, tls: bool = False) -> str:
        self._request("proxy")
        if pod not in self.answers:
            raise RefusedError("not found", status=404)
        return self.answers[pod]

    def _request(self, what: str) -> None:
        if self.out_of_sight:
            raise UnreachableError("Could not look: the API server does not answer.")
        self.requests.append(what)

    def _write(self, what: str, *, dry_run: bool = False) -> None:
        before, self.before_write = self.before_write, lambda: None
        before()
        self._request(what)
        if not dry_run:
            self.writes.append(what)


def _apply_data(known: Object | None, body: Object, *, force: bool) -> Object:
    """Server-side apply of a ConfigMap's data and annotations, with owners as managedFields tell them."""
    merged = copy.deepcopy(known or body)
    managed = merged["metadata"].get("managedFields") or []
    ours = {key for entry in managed if entry["manager"] == FIELD_MANAGER for key in _keys(entry)}
    data = dict((known or {}).get("data") or {})
    for entry in managed:
        taken = {
            key
            for key in _keys(entry)
            if key in body["data"] and body["data"][key] != data.get(key)
        }
        if entry["manager"] != FIELD_MANAGER and taken:
            if not force:
                raise ConflictError(f"conflict with {entry['manager']!r}", status=409)
            entry["fieldsV1"] = _fields(_keys(entry) - taken)
    theirs = {key for e in managed if e["manager"] != FIELD_MANAGER for key in _keys(e)}
    for key in ours - {*body["data"]} - theirs:
        data.pop(key, None)
    merged["data"] = {**data, **body["data"]}
    annotations = dict(((known or {}).get("metadata") or {}).get("annotations") or {})
    given = body["metadata"].get("annotations") or {}
    dropped = {k for entry in managed for k in _annotations(entry)} - {*given}
    merged["metadata"]["annotations"] = {
        **{k: v for k, v in annotations.items() if k not in dropped},
        **given,
    }
    merged["metadata"]["managedFields"] = [
        *(entry for entry in managed if entry["manager"] != FIELD_MANAGER),
        {
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "fieldsV1": _fields({*body["data"]}, given),
        },
    ]
    return merged


def _keys(entry: Object) -> set[str]:
    return {key[2:] for key in entry["fieldsV1"].get("f:data", {})}


def _annotations(entry: Object) -> set[str]:
    """Those that we own."""
    if entry["manager"] != FIELD_MANAGER:
        return set()
    return {key[2:] for key in entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})}


def _fields(keys: t.Iterable[str], annotations: t.Iterable[str] = ()) -> Object:
    owned = {f"f:{key}": {} for key in sorted(annotations)}
    return {
        "f:data": {f"f:{key}": {} for key in sorted(keys)},
        **({"f:metadata": {"f:annotations": owned}} if owned else {}),
    }
