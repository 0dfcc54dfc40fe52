# SPDX-License-Identifier: GPL-3.0-or-later
"""Take one backup: stream the dump into S3, prove it by what S3 gives back, and only then write the manifest."""

from __future__ import annotations

import hashlib
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from .._child_process import cleanup_process
from .._errors import DeployError, NotReadyError, RefusedError, VerificationError
from .._postgres import mask_secret
from . import local_copy, programs, server
from .catalog import Remains, run_cleanup
from .models import TIME_FORMAT, Backup, Manifest, manifest_key
from .plan import Contents, other_storage, parse_contents
from .programs import list_dump
from .tables import exported_snapshot
from .upload import Upload, Uploaded

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .._child_process import Child, CleanupNotes
    from .._postgres import PostgresTarget
    from .._s3 import Bucket, Storage
    from .local_copy import LocalCopy
    from .programs import Program
    from .tables import Snapshot, Table
    from .upload import Progress, Uploaded


def read_back(
    pg_restore: Program, bucket: Bucket, key: str, uploaded: Uploaded, *, timeout: float
) -> Contents:
    """Read the dump once, for its checksum and for what pg_restore finds in it."""
    where = f"s3://{bucket.name}/{key}"
    digest = hashlib.sha256()
    size = 0

    def write(running: Child) -> None:
        nonlocal size
        listens = True
        for chunk in _within(timeout, bucket.read(key), where):
            digest.update(chunk)
            size += len(chunk)
            # pg_restore needs no more than the table of contents.
            listens = listens and running.give(chunk)
            if running.timed_out:
                return

    listing = list_dump(pg_restore, where, write, timeout=timeout)
    listing.refuse_late("nothing was kept")
    if size != uploaded.size:
        raise VerificationError(
            f"{where} differs from what was sent: {uploaded.size} bytes went up and {size} came "
            "down; it was removed and is no backup. Try again."
        )
    if digest.hexdigest() != uploaded.sha256:
        raise VerificationError(
            f"{where} differs from what was sent: its {size} bytes have another SHA-256; it was "
            "removed and is no backup. Try again."
        )
    listing.refuse_unreadable("it was removed and is no backup")
    return parse_contents(listing.lines)


def refuse_other_tables(where: str, contents: Contents, tables: Sequence[Table]) -> None:
    """The dump must hold the rows of the tables that were counted, and of no others."""
    names = {table.oid: table.name for table in tables}
    differing = contents.tables ^ names.keys()
    if differing:
        named = ", ".join(names.get(oid, f"the table with OID {oid}") for oid in sorted(differing))
        raise VerificationError(
            f"The dump of {where} and its row counts do not cover the same tables: "
            f"{named} is in one of them only; the dump was removed and is no backup."
        )


def _within(seconds: float, chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    deadline = time.monotonic() + seconds
    for chunk in chunks:
        yield chunk
        if time.monotonic() > deadline:
            raise NotReadyError(
                f"{what} could not be read back within {seconds:g} s; nothing was kept. Raise option 'timeout' "
                "if S3 is this slow."
            )


@dataclass(frozen=True)
class BackupRequest:
    """Everything that was decided before the first byte moves. Times in seconds."""

    name: str
    release: str
    key: str
    target: PostgresTarget
    left_out: tuple[str, ...]
    """What of other roles cannot be read, as `table auth.schema_migrations`."""
    server_version: str
    pg_dump: programs.Program
    pg_restore: programs.Program
    compression: str
    storage: Storage
    local_folder: Path | None
    lock_timeout: int
    timeout: float

    @property
    def remains(self) -> Remains:
        folder = self.local_folder
        return Remains(self.key, local_copy.paths(folder, self.key) if folder else None)


def take_backup(
    order: BackupRequest, bucket: Bucket, progress: Progress, connect: Callable[[], Bucket]
) -> Backup:
    """Dump, verify, seal. On any failure nothing is left; when we are killed, `connect` serves to see to that."""
    remains = order.remains
    with cleanup_process(lambda notes: run_cleanup(remains, connect, notes)) as cleanup:
        try:
            return _take(order, bucket, progress, cleanup)
        except BaseException as exc:
            try:
                remains.remove(bucket)
            except DeployError as left:
                cleanup.leave_it()
                if isinstance(exc, DeployError):
                    exc.details["left_behind"] = f"Perhaps parts of {order.key}: {left}"
            raise


def _take(
    order: BackupRequest, bucket: Bucket, progress: Progress, cleanup: CleanupNotes
) -> Backup:
    started = _now()
    with local_copy.opened(order.local_folder, order.key) as copy:
        with exported_snapshot(order.target, lock_timeout=order.lock_timeout) as snapshot:
            upload = Upload(bucket, order.key)
            cleanup.note(upload.upload)
            uploaded, rows = _stream(order, upload, snapshot, copy, progress)
        if said := other_storage(order.storage, bucket.storage(order.key)):
            raise VerificationError(
                f"s3://{bucket.name}/{order.key} is not stored as requested: {said}; nothing was "
                "kept."
            )
        progress.reading_back(uploaded.size)
        contents = read_back(order.pg_restore, bucket, order.key, uploaded, timeout=order.timeout)
        refuse_other_tables(order.target.where, contents, snapshot.tables)
        if copy:
            copy.keep()
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
            schemas_of_others=list(snapshot.others.schemas),
            left_out=list(snapshot.others.left_out),
        )
        bucket.put_new(manifest_key(order.key), manifest.to_json())
    # One more was begun where the answer to its beginning was lost. Another backup finds it in some hours, too.
    with suppress(DeployError):
        order.remains.abort_uploads(bucket)
    return Backup(bucket=bucket.name, manifest=manifest)


def _stream(
    order: BackupRequest,
    upload: Upload,
    snapshot: Snapshot,
    copy: LocalCopy | None,
    progress: Progress,
) -> tuple[Uploaded, dict[str, int]]:
    """What was uploaded, and the rows of each table in it."""

    def passed(chunk: bytes, size: int) -> None:
        progress.dumped(size)
        if copy:
            copy.write(chunk)

    try:
        with (
            programs.dumping(
                order.pg_dump,
                order.target,
                compression=order.compression,
                lock_timeout=order.lock_timeout,
                snapshot=snapshot.identifier,
                left_out=snapshot.others.closed,
                timeout=order.timeout,
            ) as running,
            snapshot.counting() as counting,
        ):
            upload.send(running.stdout, passed)
            _refuse_failed_dump(order, running)
            rows = counting.result(within=max(1.0, order.timeout - progress.seconds))
        return upload.complete(), rows
    finally:
        upload.stop()


def _refuse_failed_dump(order: BackupRequest, running: Child) -> None:
    rc = running.wait()
    if running.timed_out:
        raise NotReadyError(
            f"pg_dump of {order.target.where} did not end within {order.timeout:g} s and was "
            "stopped; nothing was kept. Raise option 'timeout' if it was still working."
        )
    if rc != 0:
        said = mask_secret(running.stderr(), order.target.password).splitlines()
        reason = next(
            (line for line in said if "error:" in line), said[-1] if said else "no reason"
        )
        raise RefusedError(
            f"pg_dump of {order.target.where} failed with exit code {rc}, nothing was kept: "
            f"{reason.rstrip('.')}.{server.cure(reason)}",
            rc=rc,
        )


def _now() -> str:
    return datetime.now(UTC).strftime(TIME_FORMAT)
