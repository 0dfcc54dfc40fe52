# SPDX-License-Identifier: GPL-3.0-or-later
"""Large contents in small ConfigMaps: gzip and base64, with a limit below the server's."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import typing as t

from .._cluster import FENCE_ANNOTATION, RELEASE_ANNOTATION, Object
from .._errors import InputError, VerificationError

LIMIT = 900_000
"""Bytes of packed content a ConfigMap may hold here; the API server's own limit is 1 MiB in all."""

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
RECORD, PINS, ATTACHMENT = "record", "pins", "attachment"
"""Values of the label COMPONENT of a release's ConfigMaps. Earlier versions of the collection set none."""
RECORDS = f"{RELEASE_ANNOTATION},{COMPONENT}!={PINS},{COMPONENT}!={ATTACHMENT}"
"""Selects the records of all releases, for the rest may be large."""
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def record_name(version: str) -> str:
    """Name of the ConfigMap of a release's record. The release's other ConfigMaps extend this name."""
    if not NAME.fullmatch(version) or len(version) > 60:
        raise InputError(
            f"The release {version!r} cannot name a ConfigMap: use at most 60 of the lower-case letters, "
            "digits, '.' and '-', beginning and ending with a letter or digit, like '2.0.0'."
        )
    return f"release-{version}"


def config_map(
    name: str,
    namespace: str,
    version: str,
    component: str,
    data: t.Mapping[str, str],
    *,
    fence: int = 0,
) -> Object:
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "labels": {
            MANAGED_BY: "easymo.deploy",
            COMPONENT: component,
            RELEASE_ANNOTATION: version,
        },
    }
    if fence:
        metadata["annotations"] = {FENCE_ANNOTATION: str(fence)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def pack(content: bytes, what: str) -> str:
    # Without a time stamp the same content always packs to the same text.
    packed = base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode("ascii")
    if len(packed) > LIMIT:
        raise InputError(
            f"{what} is too large for a ConfigMap: {len(packed)} bytes when packed, at most "
            f"{LIMIT}. Keep it in object storage and record where it is."
        )
    return packed


def unpack(text: str, what: str) -> bytes:
    try:
        return gzip.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, OSError, EOFError, ValueError) as exc:
        raise VerificationError(f"{what} is damaged and cannot be read: {exc}.") from exc
