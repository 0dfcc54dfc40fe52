# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Operations of a JSON Patch (RFC 6902), and pointers into a document (RFC 6901)."""

from __future__ import annotations

import typing as t

from ._cluster import Operation


def operation(op: str, path: str, value: t.Any) -> Operation:
    return {"op": op, "path": path, "value": value}


def escape(key: str) -> str:
    """A key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def set_annotations(
    path: str, present: t.Mapping[str, str], wanted: t.Mapping[str, str]
) -> tuple[Operation, ...]:
    """`path` is theirs. Where none are `present`, the map itself is added."""
    if not present:
        return (operation("add", path, dict(wanted)),)
    return tuple(operation("add", f"{path}/{escape(key)}", value) for key, value in wanted.items())
