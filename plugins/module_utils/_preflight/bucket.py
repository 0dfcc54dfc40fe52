# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the key of the backups may do in its prefix what backups do. Nothing is left there."""

from __future__ import annotations

import secrets
import typing as t

from .._errors import DeployError, InputError, RefusedError, UnreachableError
from .._options import s3_options
from .._s3 import BOTO3, Bucket, S3Bucket, Storage
from .models import Finding, Ground, Kind, Options, failed, passed

_ATTEMPTS = 2


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    storage = Storage(
        server_side_encryption=options["server_side_encryption"],
        kms_key_id=options["kms_key_id"],
        storage_class=options["storage_class"],
    )
    bucket = S3Bucket.from_params(options, storage, patience=ground.timeout, attempts=_ATTEMPTS)
    try:
        bucket.check()
    except InputError as exc:
        return [failed(str(exc))]
    prefix = options["prefix"]
    refused = denials(bucket, prefix, f"{prefix}readiness-{secrets.token_hex(6)}")
    if refused:
        return [failed("; ".join(f"it may not {what}: {why}" for what, why in refused.items()))]
    return [
        passed(
            f"s3://{bucket.name}/{prefix} may be listed, read, written to, and an upload aborted"
        )
    ]


def denials(bucket: Bucket, prefix: str, key: str) -> dict[str, str]:
    """What the key may not do, each with S3's own word. An upload that was begun is aborted whatever happens."""
    found: dict[str, str] = {}

    def attempt(what: str, act: t.Callable[[], t.Any]) -> t.Any:
        try:
            return act()
        except UnreachableError:
            raise
        except DeployError as exc:
            found[what] = str(exc)
            return None

    attempt("list", lambda: next(iter(bucket.list(prefix)), None))
    attempt("list unfinished uploads", lambda: next(iter(bucket.list_uploads(prefix)), None))
    attempt("get", lambda: _read_nothing(bucket, key))
    upload = attempt("put", lambda: bucket.start_upload(key))
    if upload:
        attempt("put", lambda: bucket.upload_part(key, upload, 1, b"readiness"))
        attempt("abort an upload", lambda: bucket.abort_upload(key, upload))
    return found


def _read_nothing(bucket: Bucket, key: str) -> None:
    """Of an object that is not there S3 says so only to who may get it."""
    try:
        next(iter(bucket.read(key)), None)
    except RefusedError as exc:
        if "NoSuchKey" not in str(exc):
            raise


KIND = Kind(
    look,
    {
        **s3_options(),
        "server_side_encryption": {"type": "str"},
        "kms_key_id": {"type": "str"},
        "storage_class": {"type": "str"},
    },
    (BOTO3,),
)
