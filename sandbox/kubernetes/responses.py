# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in the form that the client asked for: one object, a list, a Table, or a Status."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass

from aiohttp import web

from sandbox.kubernetes import events_view, tables
from sandbox.kubernetes.errors import ApiError, Object, bad_request
from sandbox.kubernetes.history import Record, serialized

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

JSON = "application/json"


def json_response(body: Object, status: int = 200, warnings: t.Iterable[str] = ()) -> web.Response:
    response = web.Response(body=serialized(body), status=status, content_type=JSON)
    for warning in warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{text}"')
    return response


def refusal(error: ApiError) -> web.Response:
    response = json_response(error.to_status(), error.status)
    seconds = error.details.get("retryAfterSeconds")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def success(resource: Resource, obj: Object) -> Object:
    """What the deletion of an object answers once it is gone."""
    metadata = obj["metadata"]
    details = {"name": metadata["name"]}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": metadata["uid"]}
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return body | {"details": details}


def wants_table(accept: str) -> bool:
    return "as=Table" in accept and "g=meta.k8s.io" in accept


@dataclass(frozen=True)
class Page:
    """Some objects of a list, and where the next page begins."""

    records: t.Sequence[Record]
    version: str
    next_token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        found: Object = {"resourceVersion": self.version}
        if self.next_token:
            found["continue"] = self.next_token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


def page(records: t.Sequence[Record], version: str, limit: int, token: str, exact: bool) -> Page:
    """`limit` records after where `token` ended (0 or less: all); `exact` when how many remain may be told."""
    start = token_position(token)
    left = [record for record in records if position(record) > start] if token else records
    if limit <= 0 or len(left) <= limit:
        return Page(left, version)
    shown = left[:limit]
    following = token_after(version, position(shown[-1]))
    return Page(shown, version, following, len(left) - limit if exact else None)


def position(record: Record) -> list[str]:
    metadata = record.body["metadata"]
    return [metadata.get("namespace", ""), metadata["name"]]


def token_after(version: str, start: list[str]) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": int(version), "start": start}
    return base64.urlsafe_b64encode(serialized(token)).decode()


def token_position(token: str) -> list[str]:
    return _token(token)[1] if token else []


def token_version(token: str) -> int:
    return _token(token)[0]


def _token(token: str) -> tuple[int, list[str]]:
    try:
        told = json.loads(base64.urlsafe_b64decode(token))
        return int(told["rv"]), list(told["start"])
    except (ValueError, KeyError, TypeError) as exc:
        raise bad_request(f"continue key is not valid: {exc}") from exc


def list_response(resource: Resource, found: Page, accept: str, include: str) -> web.Response:
    if wants_table(accept):
        bodies = [record.body for record in found.records]
        return json_response(tables.table(resource, bodies, found.metadata(), include, head=True))
    head = serialized(
        {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": found.metadata(),
        }
    )
    items = b",".join(list_item(resource, record) for record in found.records)
    return web.Response(body=head[:-1] + b',"items":[' + items + b"]}", content_type=JSON)


def list_item(resource: Resource, record: Record) -> bytes:
    """The stored bytes without kind and apiVersion, which a real list leaves out too."""
    if resource.group == "events.k8s.io":
        return serialized(shown(resource, record.body))
    prefix = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    if record.raw.startswith(prefix):
        return b"{" + record.raw[len(prefix) :]
    return serialized({k: v for k, v in record.body.items() if k not in ("kind", "apiVersion")})


def object_response(
    resource: Resource, obj: Object, accept: str, include: str, *, status: int = 200,
    warnings: t.Iterable[str] = (),
) -> web.Response:  # fmt: skip
    if wants_table(accept):
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        body = tables.table(resource, [obj], metadata, include, head=True)
        return json_response(body, status, warnings)
    return json_response(shown(resource, obj), status, warnings)


def shown(resource: Resource, obj: Object) -> Object:
    return events_view.to_events_v1(obj) if resource.group == "events.k8s.io" else obj
