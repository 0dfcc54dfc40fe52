# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A function's sources as the Management API hands them out: multipart/form-data, in a folder of the builder's."""

from __future__ import annotations

import email.parser
import email.policy
import json
import posixpath
import typing as t

from .._errors import UnreachableError
from .scan import SCRIPTS


def uploaded_path(files: t.Mapping[str, bytes], location: str) -> str:
    """The uploaded file that `location` means, which may stand below a folder of the builder's own machine.

    Empty for an empty location, as for a function without an import map.
    """
    if not location:
        return ""
    found = [path for path in files if f"/{location}".endswith(f"/{path.lstrip('/')}")]
    if not found:
        raise UnreachableError(
            f"The Supabase Management API names {location}, but sent only "
            f"{', '.join(sorted(files))}."
        )
    return max(found, key=len)


def static_rest(files: t.Mapping[str, bytes], entrypoint: str, import_map: str) -> list[str]:
    """Files that are no modules. The API does not tell which patterns once matched them, and forgets those unnamed."""
    return sorted(
        path
        for path in files
        if path not in (entrypoint, import_map)
        and posixpath.splitext(path)[1].lower() not in SCRIPTS
    )


def parse_sources(content_type: str, body: bytes) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The metadata and the files, by path, of a function's body in multipart/form-data."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    metadata: dict[str, t.Any] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        content = t.cast("bytes", part.get_payload(decode=True))
        name = part.get_param("name", header="content-disposition")
        if name == "metadata":
            metadata = json.loads(content)
        elif path := part.get("Supabase-Path") or part.get_filename():
            files[str(path)] = content
    if not files:
        raise UnreachableError(
            "The Supabase Management API sent no sources: its answer was "
            f"{content_type or 'without a content type'}."
        )
    return metadata, files
