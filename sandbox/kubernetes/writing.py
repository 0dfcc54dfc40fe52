# SPDX-License-Identifier: GPL-3.0-or-later
"""From the body of a write to the object that is stored: decoding, patching, strictness, ownership."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

import yaml

from sandbox.kubernetes import apply, lifecycle, patches, schema
from sandbox.kubernetes.defaulting import default
from sandbox.kubernetes.errors import ApiError, Cause, Object, bad_request, invalid_patch
from sandbox.kubernetes.history import deep_copy

if t.TYPE_CHECKING:
    from sandbox.kubernetes.requests import Target, WriteOptions
    from sandbox.kubernetes.resources import Resource
    from sandbox.kubernetes.store import Store

MAX_BODY = 3 * 1024 * 1024


class _PlainLoader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date is a string."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def decode(body: bytes, content_type: str) -> t.Any:
    """JSON or YAML; 413 for what is too large, 415 for what this server does not speak."""
    if len(body) > MAX_BODY:
        message = f"Request entity too large: limit is {MAX_BODY}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    if "protobuf" in content_type or "cbor" in content_type:
        message = (
            "the body of the request was in an unknown format - accepted media types include:"
            " application/json, application/yaml"
        )
        raise ApiError(415, "UnsupportedMediaType", message)
    try:
        if "yaml" in content_type and not body.lstrip().startswith(b"{"):
            plain = yaml.load(body, Loader=_PlainLoader)  # noqa: S506 -- a SafeLoader without dates
            return json.loads(json.dumps(plain))  # names that look like numbers are names
        return json.loads(body)
    except (ValueError, yaml.YAMLError) as exc:
        raise bad_request(f"couldn't get version/kind; json parse error: {exc}") from exc


def whole(body: t.Any) -> Object:
    if not isinstance(body, dict):
        raise bad_request("couldn't get version/kind; json parse error: an object was expected")
    return t.cast("Object", body)


@dataclass
class Writer:
    """One write on behalf of one client; `warnings` are what it should be told beside the answer."""

    store: Store
    target: Target
    options: WriteOptions
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        return self.target.resource

    def create(self, body: t.Any) -> Object:
        obj = self._typed(body)
        metadata = obj.setdefault("metadata", {})
        self._check_namespace(metadata)
        new = self._owned({"metadata": {}}, self._preview(obj))
        obj["metadata"]["managedFields"] = new["metadata"].get("managedFields", [])
        return self.store.added(self.resource.plural, obj, dry_run=self.options.dry_run).body

    def replace(self, body: t.Any) -> Object:
        obj = self._typed(body)
        metadata = obj.setdefault("metadata", {})
        if metadata.get("name", self.target.name) != self.target.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL"
                f" ({self.target.name})"
            )
        metadata["name"] = self.target.name
        self._check_namespace(metadata)
        return self._store(self._current(), obj)

    def patch(self, body: t.Any, content_type: str) -> tuple[int, Object]:
        """The HTTP status (201 when applying made it) and the object."""
        if content_type == patches.APPLY_PATCH:
            return self._apply(body)
        current = self._current()
        if content_type == patches.JSON_PATCH:
            after = patches.apply_json_patch(current, body)
            return 200, self._store(current, self._decoded(after))
        if not isinstance(body, dict):
            raise bad_request("error decoding patch: a merge patch is an object")
        if content_type == patches.MERGE_PATCH:
            after = patches.apply_merge_patch(current, body)
            return 200, self._store(current, self._decoded(after))
        if content_type == patches.STRATEGIC_PATCH:
            after = patches.apply_strategic_patch(current, body)
            return 200, self._store(current, self._from_strategic(after, body))
        supported = ", ".join(
            (patches.JSON_PATCH, patches.MERGE_PATCH, patches.STRATEGIC_PATCH, patches.APPLY_PATCH)
        )
        message = (
            "the body of the request was in an unknown format - accepted media types include: "
            + supported
        )
        raise ApiError(415, "UnsupportedMediaType", message)

    def _apply(self, body: t.Any) -> tuple[int, Object]:
        if not self.options.manager_given:
            words = "fieldManager: Required value: is required for apply patch"
            message = f'PatchOptions.meta.k8s.io "" is invalid: {words}'
            raise ApiError(422, "Invalid", message)
        config = self._typed(body)
        metadata = config.setdefault("metadata", {})
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        self._check_namespace(metadata)
        metadata.setdefault("name", self.target.name)
        manager, time = self._manager("Apply"), lifecycle.timestamp(lifecycle.now())
        model, force = self.resource.model, self.options.force
        try:
            current = self._current()
        except ApiError as exc:
            if exc.status != 404 or self.target.subresource:
                raise
            merged = apply.apply(model, manager, time, {"metadata": {}}, config, force=force)
            config["metadata"]["managedFields"] = merged["metadata"].get("managedFields", [])
            made = self.store.added(self.resource.plural, config, dry_run=self.options.dry_run)
            return 201, made.body
        lifecycle.check_preconditions(
            self.resource, current, metadata.get("uid", ""), metadata.get("resourceVersion", "")
        )
        merged = apply.apply(model, manager, time, current, config, force=force)
        return 200, self._update(merged)

    def _current(self) -> Object:
        target = self.target
        return self.store.get(self.resource.plural, target.namespace, target.name)

    def _store(self, current: Object, obj: Object) -> Object:
        """Preconditions first: what they refuse must not be judged against another version."""
        metadata = obj.setdefault("metadata", {})
        lifecycle.check_preconditions(
            self.resource, current, metadata.get("uid", ""), metadata.get("resourceVersion", "")
        )
        through = self.target.subresource
        after = lifecycle.changed(self.resource, current, obj, through)
        preview = self._preview(after)
        return self._update(self._owned(current, preview))

    def _update(self, obj: Object) -> Object:
        through = self.target.subresource if self.target.subresource == "status" else ""
        plural, dry_run = self.resource.plural, self.options.dry_run
        return self.store.replaced(plural, obj, subresource=through, dry_run=dry_run).body

    def _preview(self, obj: Object) -> Object:
        """With defaults, because who makes an object owns its defaults too."""
        preview = deep_copy(obj)
        preview["metadata"].setdefault("name", "")
        if not self.target.subresource:
            default(self.resource, preview)
        return preview

    def _owned(self, before: Object, after: Object) -> Object:
        # What only the server writes at birth belongs to nobody.
        hidden = () if self.target.subresource == "status" else ("status",)
        old = {key: value for key, value in before.items() if key not in hidden}
        new = {key: value for key, value in after.items() if key not in hidden}
        time = lifecycle.timestamp(lifecycle.now())
        owned = apply.after_update(self.resource.model, self._manager("Update"), time, old, new)
        return after | {"metadata": owned["metadata"]}

    def _manager(self, operation: str) -> apply.Manager:
        through = self.target.subresource
        return apply.Manager(self.options.manager, operation, self.resource.api_version, through)

    def _check_namespace(self, metadata: Object) -> None:
        if not self.resource.namespaced:
            return
        given = metadata.setdefault("namespace", self.target.namespace) or self.target.namespace
        if given != self.target.namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def _typed(self, body: t.Any) -> Object:
        """A whole object out of a body; the wrong kind, type or (strictly) field is 400."""
        kind, api = self.resource.kind, self.resource.api_version
        body = whole(body)
        if body.get("kind", kind) != kind or body.get("apiVersion", api) != api:
            sent = f"{body.get('apiVersion', '')}, Kind={body.get('kind', '')}"
            raise bad_request(
                f"{sent} in request does not match the expected {api}, Kind={kind}: the API version"
                " in the data does not match the expected API version"
            )
        prefix = f'{kind} in version "{self.resource.version}" cannot be handled as a {kind}: '
        return self._fitting(body, lambda why: bad_request(prefix + why))

    def _decoded(self, after: Object) -> Object:
        """The outcome of a JSON or merge patch, as far as it fits its type (422)."""
        shown = json.dumps(after, separators=(",", ":"), ensure_ascii=False)
        if not isinstance(after, dict):
            kind = schema.json_kind(after)
            raise _bad_patch(shown, f"json: cannot unmarshal {kind} into Go value of type object")
        if not after.get("kind"):
            raise _bad_patch(shown, f"Object 'Kind' is missing in '{shown}'")
        return self._fitting(after, lambda why: _bad_patch(shown, why))

    def _from_strategic(self, after: Object, patch: Object) -> Object:
        return self._fitting(after, lambda why: invalid_patch(patch, why), conversion_words)

    def _fitting(
        self,
        obj: Object,
        refusal: t.Callable[[str], ApiError],
        words: t.Callable[[schema.FieldError], str] | None = None,
    ) -> Object:
        """`obj` as its model has it. The refusal gets the words for a value that does not fit."""
        report = schema.decode_model(self.resource.model, obj)
        if report.field_errors:
            raise refusal((words or unmarshal_words)(report.field_errors[0]))
        if report.unknown and self.options.validation == "Strict":
            raise refusal(strict_words(report.unknown))
        self._warn(report.unknown)
        return t.cast("Object", report.value)

    def _warn(self, unknown: t.Iterable[str]) -> None:
        if self.options.validation == "Warn":
            self.warnings += [f'unknown field "{name}"' for name in unknown]


def _bad_patch(shown: str, why: str) -> ApiError:
    cause = Cause("patch", f"Invalid value: {json.dumps(shown)}: {why}")
    message = f' "" is invalid: patch: {cause.message}'
    return ApiError(422, "Invalid", message, {"causes": [cause.to_dict()]})


def strict_words(unknown: t.Sequence[str]) -> str:
    return "strict decoding error: " + ", ".join(f'unknown field "{name}"' for name in unknown)


def unmarshal_words(field_error: schema.FieldError) -> str:
    """What Go's JSON decoder says of a value that does not fit."""
    struct = re.sub(r"^(Core|Events|Discovery)?V\d+", "", field_error.struct)
    return (
        f"json: cannot unmarshal {schema.json_kind(field_error.value)} into Go struct field"
        f" {struct}.{'.'.join(schema.plain_path(field_error.path))} of type {field_error.wanted}"
    )


def conversion_words(field_error: schema.FieldError) -> str:
    """What converting a strategic patch's outcome says; numbers convert to text in Go, so it differs."""
    if field_error.wanted == "slice" or field_error.wanted == "map":
        return f"cannot restore {field_error.wanted} from {schema.go_kind(field_error.value)}"
    if field_error.wanted[0].isupper() and field_error.wanted != "Time":
        return f"cannot restore struct from: {schema.go_kind(field_error.value)}"
    if field_error.wanted == "string" and schema.go_kind(field_error.value) == "int64":
        return "cannot convert int64 to string"
    return f"unrecognized type: {field_error.wanted}"
