# SPDX-License-Identifier: GPL-3.0-or-later
"""Function sources as multipart/form-data: as the CLI sends them and as the platform hands them out."""

from __future__ import annotations

import json
import typing as t

from aiohttp import BodyPartReader, MultipartWriter, payload, web

from sandbox.supabase.errors import ApiError
from sandbox.supabase.functions import EXPORT_ROOT, Function, Upload, validated_upload

# The platform's limit for what it bundles itself.
MAX_UPLOAD = 5 * 1024 * 1024


async def read_upload(request: web.Request) -> Upload:
    """Parts named `file` with their path as filename, and one `metadata`, first or last."""
    if not request.content_type.startswith("multipart/"):
        raise ApiError(415, "Expected multipart/form-data")
    metadata: object = None
    files: dict[str, bytes] = {}
    size = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise ApiError(400, "Nested multipart is not supported")
            content = bytes(await part.read())
            size += len(content)
            if size > MAX_UPLOAD:
                raise ApiError(413, "Function is too large")
            if part.name == "metadata":
                metadata = json.loads(content)
            elif part.name == "file" and part.filename:
                files[part.filename] = content
    except ValueError as exc:
        raise ApiError(400, f"The multipart body cannot be read: {exc}") from exc
    return validated_upload(metadata, files)


def source_writer(function: Function, files: t.Mapping[str, bytes]) -> MultipartWriter:
    """The metadata part, then each file with its path in the header Supabase-Path."""
    writer = MultipartWriter("form-data")
    metadata = {"deno2_entrypoint_path": f"{EXPORT_ROOT}/{function.entrypoint_path}"}
    _append(writer, json.dumps(metadata).encode(), "application/json", name="metadata")
    for path, content in files.items():
        exported = f"{EXPORT_ROOT}/{path}"
        headers = {"Supabase-Path": exported}
        _append(writer, content, "text/plain", headers, name="file", filename=exported)
    return writer


def _append(
    writer: MultipartWriter,
    content: bytes,
    content_type: str,
    headers: t.Mapping[str, str] | None = None,
    **disposition: str,
) -> None:
    part = payload.BytesPayload(content, content_type=content_type, headers=dict(headers or {}))
    part.set_content_disposition("form-data", quote_fields=False, **disposition)
    writer.append_payload(part)
