# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Take one backup: stream the dump into S3, read it back, and only then write the manifest that makes it one."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.easymo.deploy.plugins.module_utils._backup import programs
from ansible_collections.easymo.deploy.plugins.module_utils._backup.models import (
    TIME_FORMAT,
    Backup,
    Manifest,
    manifest_key,
)
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import (
    Contents,
    is_listing,
    parse_contents,
)
from ansible_collections.easymo.deploy.plugins.module_utils._backup.rows import exported_snapshot
from ansible_collections.easymo.deploy.plugins.module_utils._backup.upload import Upload, Uploaded
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    NotReadyError,
    RefusedError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import mask_secret

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._backup.rows import Snapshot, Table
    from ansible_collections.easymo.deploy.plugins.module_utils._child_process import Child
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
    from ansible_collections.easymo.deploy.plugins.module_utils._s3 import Bucket


@dataclass(frozen=True)
class Order:
    """Everything that was decided before the first byte moves. Times in seconds."""

    name: str
    release: str
    key: str
    target: PostgresTarget
    server_version: str
    pg_dump: programs.Program
    pg_restore: programs.Program
    compression: str
    lock_timeout: int
    timeout: float


def take_backup(order: Order, bucket: Bucket) -> Backup:
    """Dump, verify, seal. On any failure no object is left that could be taken for a backup."""
    started = _now()
    with exported_snapshot(order.target, lock_timeout=order.lock_timeout) as snapshot:
        uploaded, rows = stream_dump(order, bucket, snapshot)
    contents = verify(order, bucket, uploaded)
    refuse_other_tables(order, contents, snapshot.tables)
    manifest = Manifest(
        name=order.name,
        release=order.release,
        database=order.target.database,
        host=order.target.host,
        key=order.key,
        size=uploaded.size,
        sha256=uploaded.sha256,
        started=started,
        finished=_now(),
        server_version=order.server_version,
        pg_dump_version=order.pg_dump.version,
        compression=order.compression,
        entries=contents.entries,
        rows=rows,
    )
    bucket.put_new(manifest_key(order.key), manifest.to_json())
    return Backup(bucket=bucket.name, manifest=manifest)


def stream_dump(
    order: Order, bucket: Bucket, snapshot: Snapshot
) -> tuple[Uploaded, dict[str, int]]:
    """What was uploaded, and the rows of each table in it."""
    upload = Upload(bucket, order.key)
    try:
        with (
            programs.dumping(
                order.pg_dump,
                order.target,
                compression=order.compression,
                lock_timeout=order.lock_timeout,
                snapshot=snapshot.identifier,
                timeout=order.timeout,
            ) as running,
            snapshot.counting(timeout=order.timeout) as counting,
        ):
            upload.send(running.stdout)
            _refuse_failed_dump(order, running)
            rows = counting.result()
        return upload.complete(), rows
    except BaseException as exc:
        left = upload.abort()
        if left and isinstance(exc, DeployError):
            exc.details["left_behind"] = f"Parts of {order.key}: {left}"
        raise


def verify(order: Order, bucket: Bucket, uploaded: Uploaded) -> Contents:
    """Read the dump back once, for its checksum and for what pg_restore finds in it."""
    digest = hashlib.sha256()
    size = 0
    with programs.listing(order.pg_restore, timeout=order.timeout) as running:
        listens = True
        for chunk in bucket.read(order.key):
            digest.update(chunk)
            size += len(chunk)
            listens = listens and _feed(running, chunk)
        if listens:
            running.stdin.close()
        lines = running.stdout.read().decode("utf-8", "replace").splitlines()
        rc = running.wait()
        complaint = running.stderr()
    if (size, digest.hexdigest()) != (uploaded.size, uploaded.sha256):
        raise VerificationError(
            f"s3://{bucket.name}/{order.key} does not come back as it was sent: {uploaded.size} bytes "
            f"went up and {size} came down; it has no manifest, so it is no backup. Try again."
        )
    if rc != 0 or not is_listing(lines):
        raise VerificationError(
            f"pg_restore cannot read s3://{bucket.name}/{order.key} (exit code {rc}: {complaint}); "
            "it has no manifest, so it is no backup."
        )
    return parse_contents(lines)


def refuse_other_tables(order: Order, contents: Contents, tables: Sequence[Table]) -> None:
    """The dump must hold the rows of the tables that were counted, and of no others."""
    names = {table.oid: table.name for table in tables}
    differing = contents.tables ^ names.keys()
    if differing:
        named = ", ".join(names.get(oid, f"the table with OID {oid}") for oid in sorted(differing))
        raise VerificationError(
            f"The dump of {order.target.where} and its row counts do not cover the same tables: "
            f"{named} is in one of them only; it has no manifest, so it is no backup."
        )


def _refuse_failed_dump(order: Order, running: Child) -> None:
    rc = running.wait()
    if running.timed_out:
        raise NotReadyError(
            f"pg_dump of {order.target.where} did not end within {order.timeout:g} s and was stopped; "
            "nothing was kept. Raise option 'timeout' if it was still making progress."
        )
    if rc != 0:
        said = mask_secret(running.stderr(), order.target.password).splitlines()
        reason = next(
            (line for line in said if "error:" in line), said[-1] if said else "no reason"
        )
        raise RefusedError(
            f"pg_dump of {order.target.where} failed with exit code {rc}, nothing was kept: {reason}",
            rc=rc,
        )


def _feed(running: Child, chunk: bytes) -> bool:
    """False when the program has read all it wants: pg_restore needs no more than the table of contents."""
    try:
        running.stdin.write(chunk)
        running.stdin.flush()
    except BrokenPipeError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).strftime(TIME_FORMAT)
