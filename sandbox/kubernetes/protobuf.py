# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of Kubernetes' protobuf to read the requests that kubectl sends in no other form."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.errors import Object, bad_request

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"


class Nested(t.NamedTuple):
    name: str
    fields: Fields


Fields = t.Mapping[int, str | Nested]

RESOURCE_ATTRIBUTES: Fields = {
    1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name",
}  # fmt: skip
MESSAGES: t.Mapping[str, Fields] = {
    "SelfSubjectAccessReview": {
        2: Nested(
            "spec",
            {
                1: Nested("resourceAttributes", RESOURCE_ATTRIBUTES),
                2: Nested("nonResourceAttributes", {1: "path", 2: "verb"}),
            },
        )
    },
    "SelfSubjectRulesReview": {2: Nested("spec", {1: "namespace"})},
    "SelfSubjectReview": {},
    "TokenRequest": {2: Nested("spec", {4: "expirationSeconds"})},
}


def decode(data: bytes, kind: str) -> Object:
    """The object of `kind` in a `runtime.Unknown` envelope."""
    if not data.startswith(MAGIC):
        raise bad_request("the body of the request is not Kubernetes protobuf")
    try:
        message = dict(_parts(data[len(MAGIC) :])).get(2, b"")
        return _read(message if isinstance(message, bytes) else b"", MESSAGES[kind])
    except (IndexError, UnicodeDecodeError) as exc:
        raise bad_request("the body of the request is broken protobuf") from exc


def _read(data: bytes, fields: Fields) -> Object:
    found: Object = {}
    for number, payload in _parts(data):
        field = fields.get(number)
        if isinstance(payload, int):
            found |= {field: payload} if isinstance(field, str) else {}
        elif isinstance(field, Nested):
            found[field.name] = _read(payload, field.fields)
        elif field is not None and payload:
            found[field] = payload.decode()
    return found


def _parts(data: bytes) -> t.Iterator[tuple[int, bytes | int]]:
    """The fields of a message: length-delimited ones, and numbers."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            length, at = _varint(data, at)
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            value, at = _varint(data, at)
            yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
