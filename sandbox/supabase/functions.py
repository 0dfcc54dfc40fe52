# SPDX-License-Identifier: GPL-3.0-or-later
"""What an edge function is: its record in the Management API and the sources it was made from.

Sources are multipart/form-data: as the CLI sends them and as the platform hands them out.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

from aiohttp import BodyPartReader, MultipartWriter, payload, web

from sandbox.supabase.errors import ApiError

SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
EXPORT_ROOT = "source"
"""The folder in which the platform keeps, and hands out, a function's files."""


@dataclass(frozen=True)
class Upload:
    """One function as it was sent: paths relative to the project's root, and their content."""

    entrypoint_path: str
    import_map_path: str = ""
    verify_jwt: bool = True
    name: str = ""
    files: t.Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of everything that makes the bundle; the platform hashes the compressed bundle itself."""
        digest = hashlib.sha256(f"{self.entrypoint_path}\0{self.import_map_path}\0".encode())
        for path, content in sorted(self.files.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


@dataclass(frozen=True)
class Function:
    """Times are milliseconds since 1970, as the Management API gives them."""

    id: str
    slug: str
    name: str
    version: int
    created_at: int
    updated_at: int
    verify_jwt: bool
    entrypoint_path: str
    import_map_path: str
    ezbr_sha256: str
    status: str = "ACTIVE"

    def to_json(self, project_ref: str) -> dict[str, object]:
        """The API's record: an optional key without a value is absent, never null."""
        root = f"file:///tmp/user_fn_{project_ref}_{self.id}_{self.version}/{EXPORT_ROOT}/"
        record: dict[str, object] = asdict(self) | {
            "entrypoint_path": root + self.entrypoint_path,
            "import_map": bool(self.import_map_path),
            "import_map_path": root + self.import_map_path,
        }
        if not self.import_map_path:
            del record["import_map_path"]
        return record


def validated_slug(slug: str | None) -> str:
    if slug is None or not SLUG.fullmatch(slug):
        raise ApiError(400, f"slug: must match /^{SLUG.pattern}$/")
    return slug


def validated_upload(metadata: object, files: t.Mapping[str, bytes]) -> Upload:
    """The upload when it is whole and stays within its folder; raises ApiError otherwise."""
    if not isinstance(metadata, dict):
        raise ApiError(400, "metadata: Required")
    entrypoint = _path(metadata, "entrypoint_path")
    import_map = _path(metadata, "import_map_path")
    # A source exported by the platform and sent back must not sink one folder deeper each time.
    prefix = EXPORT_ROOT + "/"
    if all(path.startswith(prefix) for path in files) and entrypoint.startswith(prefix):
        files = {path.removeprefix(prefix): content for path, content in files.items()}
        entrypoint = entrypoint.removeprefix(prefix)
        import_map = import_map.removeprefix(prefix)
    for path in (*files, entrypoint, import_map):
        if path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise ApiError(400, f"file: {path} is outside the project")
    for path in (entrypoint, import_map):
        if path and path not in files:
            raise ApiError(400, f"Failed to bundle the function (reason: {path} was not sent).")
    if not entrypoint:
        raise ApiError(400, "metadata.entrypoint_path: Required")
    return Upload(
        entrypoint_path=entrypoint,
        import_map_path=import_map,
        verify_jwt=_flag(metadata.get("verify_jwt", True)),
        name=str(metadata.get("name", "")),
        files=files,
    )


def next_function(
    slug: str, upload: Upload, current: Function | None, *, new_id: str, now: int
) -> Function:
    """The record that activating `upload` makes of `current`, which is None for a new function."""
    return Function(
        id=current.id if current else new_id,
        slug=slug,
        name=upload.name or slug,
        version=current.version + 1 if current else 1,
        created_at=current.created_at if current else now,
        updated_at=now,
        verify_jwt=upload.verify_jwt,
        entrypoint_path=upload.entrypoint_path,
        import_map_path=upload.import_map_path,
        ezbr_sha256=upload.digest,
    )


def _path(metadata: dict[str, object], key: str) -> str:
    value = metadata.get(key) or ""
    if not isinstance(value, str):
        raise ApiError(400, f"metadata.{key}: Expected string")
    return value.removeprefix("file://")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ApiError(400, "metadata.verify_jwt: Expected boolean")
    return value


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
