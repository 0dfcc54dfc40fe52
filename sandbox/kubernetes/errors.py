# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's errors: a v1 Status with the message of a real server."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

Object = dict[str, t.Any]
"""One Kubernetes object as JSON has it."""


@dataclass
class ApiError(Exception):
    """A refusal. `str()` of it is what `kubectl` prints after "Error from server (Reason):"."""

    status: int
    reason: str
    message: str
    details: Object = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def to_status(self) -> Object:
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        # A 422 of a bad patch carries empty details; an expired watch carries none.
        if self.details or self.reason == "Invalid":
            body["details"] = self.details
        return body | {"code": self.status}


@dataclass(frozen=True)
class Cause:
    """One field that is wrong; `message` begins with what is wrong, as in `Required value: ...`."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def to_dict(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def details(resource: Resource, name: str) -> Object:
    entry: Object = {"name": name} if name else {}
    if resource.group:
        entry["group"] = resource.group
    return entry | {"kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details(resource, name))


STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(resource: Resource, name: str, why: str = STALE) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    what = f'{resource.qualified} "{name}"' if name else resource.qualified
    message = f"{what} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, details(resource, name))


def invalid(resource: Resource, name: str, causes: t.Sequence[Cause]) -> ApiError:
    """422 with every field that is wrong, in the order found."""
    problems = [f"{cause.field}: {cause.message}" for cause in causes]
    words = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    about = details(resource, name) | {"kind": resource.kind}
    about["causes"] = [cause.to_dict() for cause in causes]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {words}', about)


def invalid_patch(patch: object, why: str) -> ApiError:
    """422 for a patch whose values do not fit the type; the real one names no object here."""
    cause = Cause("patch", f'Invalid value: "{go_map(patch)}": {why}')
    message = f' "" is invalid: patch: {cause.message}'
    return ApiError(422, "Invalid", message, {"causes": [cause.to_dict()]})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(version: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


def go_map(value: object) -> str:
    """A value as Go's %v prints it, because the real messages carry it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_map(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
