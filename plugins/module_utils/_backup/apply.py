# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream pg_dump into S3, read the object back, and keep what is proven."""

from __future__ import annotations

import hashlib
import time
import typing as t
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from .._child_process import Child, CleanupNotes, child, child_environment, cleanup_process
from .._errors import DeployError, NotReadyError, RefusedError, VerificationError
from .._postgres import PostgresTarget
from .._s3 import S3Bucket
from . import programs
from .catalog import abort_uploads, remove_remains, run_cleanup
from .plan import (
    TIME_FORMAT,
    Backup,
    DumpContents,
    Manifest,
    compression_argument,
    manifest_key,
    parse_contents,
)
from .programs import BackupProgress, Upload, list_dump
from .rights import grouped
from .tables import DumpedTable, ExportedSnapshot, cure, exported_snapshot


def read_back(request: BackupRequest, upload: Upload) -> DumpContents:
    """Read the dump once, for its checksum and pg_restore's table of contents."""
    where = f"s3://{request.bucket.name}/{request.key}"
    digest = hashlib.sha256()
    size = 0

    def write(running: Child) -> None:
        nonlocal size
        listens = True
        for chunk in _within(request.timeout, request.bucket.read(request.key), where):
            digest.update(chunk)
            size += len(chunk)
            # pg_restore needs no more than the table of contents.
            listens = listens and running.give(chunk)
            if running.timed_out:
                return
        if (size, digest.hexdigest()) != (upload.size, upload.sha256):
            raise VerificationError(
                f"{where} differs from what was sent: {upload.size} bytes went up, and {size} with another SHA-256 "
                "came down; it was removed and is no backup. Try again."
            )

    timeout = request.timeout
    return parse_contents(
        list_dump(request.pg_restore, where, write, timeout=timeout, consequence="nothing was kept")
    )


def refuse_other_tables(
    where: str, contents: DumpContents, tables: t.Sequence[DumpedTable]
) -> None:
    """The dump must hold the rows of the tables that were counted, and of no others."""
    names = {table.oid: table.name for table in tables}
    differing = contents.tables ^ names.keys()
    if differing:
        named = ", ".join(names.get(oid, f"the table with OID {oid}") for oid in sorted(differing))
        raise VerificationError(
            f"The dump of {where} and its row counts do not cover the same tables: "
            f"{named} is in one of them only; the dump was removed and is no backup."
        )


def _within(seconds: float, chunks: t.Iterator[bytes], what: str) -> t.Iterator[bytes]:
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
    """Unreadable objects of other roles, such as `table auth.schema_migrations`."""
    server_version: str
    pg_dump: programs.Program
    pg_restore: programs.Program
    compression: str
    lock_timeout: int
    timeout: float
    bucket: S3Bucket
    progress: BackupProgress


def take_backup(request: BackupRequest, connect: t.Callable[[], S3Bucket]) -> Backup:
    """Dump, verify, seal. Nothing is left on any failure. When we are killed, a process with `connect` cleans up."""
    key, bucket = request.key, request.bucket
    with cleanup_process(lambda notes: run_cleanup(key, connect, notes)) as cleanup:
        try:
            backup = _take(request, cleanup)
        except BaseException as exc:
            try:
                remove_remains(bucket, key)
            except DeployError as left:
                cleanup.leave_it()
                if isinstance(exc, DeployError):
                    exc.details["left_behind"] = f"Perhaps parts of {key}: {left}"
            raise
        # A lost response to the upload's start leaves a second upload, whose number nobody noted.
        with suppress(DeployError):
            abort_uploads(bucket, key)
        return backup


def _take(request: BackupRequest, cleanup: CleanupNotes) -> Backup:
    started = _now()
    with exported_snapshot(request.target, lock_timeout=request.lock_timeout) as snapshot:
        upload = Upload(request.bucket, request.key)
        cleanup.note(upload.upload)
        rows = _stream(request, upload, snapshot)
    request.progress.reading_back(upload.size)
    contents = read_back(request, upload)
    refuse_other_tables(request.target.where, contents, snapshot.tables)
    manifest = Manifest(
        name=request.name,
        release=request.release,
        database=request.target.database,
        host=request.target.host,
        key=request.key,
        size=upload.size,
        sha256=upload.sha256,
        started=started,
        finished=_now(),
        server_version=request.server_version,
        pg_dump_version=request.pg_dump.version,
        compression=request.compression,
        entries=contents.entries,
        rows=rows,
        schemas_of_others=list(snapshot.others.schemas),
        left_out=list(snapshot.others.left_out),
        rights=grouped(snapshot.rights),
    )
    request.bucket.put_new(manifest_key(request.key), manifest.to_json())
    return Backup(bucket=request.bucket.name, manifest=manifest)


def _stream(request: BackupRequest, upload: Upload, snapshot: ExportedSnapshot) -> dict[str, int]:
    """Dump and upload. Returns the rows of each table in it."""
    try:
        with _dumping(request, snapshot) as running, snapshot.counting() as counting:
            upload.send(running.stdout, request.progress.dumped)
            _refuse_failed_dump(request, running)
            rows = counting(max(1.0, request.timeout - request.progress.seconds))
        upload.complete()
        return rows
    finally:
        upload.stop()


def _dumping(request: BackupRequest, snapshot: ExportedSnapshot) -> AbstractContextManager[Child]:
    """A running pg_dump of the snapshot, in custom format on its standard output."""
    argv = [
        request.pg_dump.path,
        "--format=custom",
        compression_argument(request.compression, request.pg_dump.major),
        f"--lock-wait-timeout={request.lock_timeout * 1000}",
        f"--snapshot={snapshot.identifier}",
        "--no-password",
        *(f"--exclude-table={identifier}" for identifier in snapshot.others.closed),
    ]
    environment = {**request.target.environment(), "PGAPPNAME": "easymo.deploy pg_backup"}
    return child(argv, child_environment(environment), timeout=request.timeout)


def _refuse_failed_dump(request: BackupRequest, running: Child) -> None:
    rc = running.wait()
    what = f"pg_dump of {request.target.where}"
    programs.refuse_stopped(running, what, request.timeout, "nothing was kept")
    if rc != 0:
        reason = programs.complaint(running, request.target.password)
        raise RefusedError(
            f"{what} failed with exit code {rc}, nothing was kept: {reason}.{cure(reason)}",
            rc=rc,
        )


def _now() -> str:
    return datetime.now(UTC).strftime(TIME_FORMAT)
