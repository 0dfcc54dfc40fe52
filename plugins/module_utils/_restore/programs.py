# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_restore and psql as this collection calls them, fed from S3. Passwords reach them by environment only."""

from __future__ import annotations

import hashlib
import tempfile
import time
import typing as t
from contextlib import contextmanager

from .. import _child_process
from .._backup.programs import complaint
from .._backup.tables import cure
from .._errors import NotReadyError, RefusedError, VerificationError
from .databases import APPLICATION

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from .._backup.plan import Backup
    from .._child_process import Child, Writer
    from .._postgres import PostgresTarget
    from .._s3 import S3Bucket
    from .models import RestoreRequest
    from .selection import DumpSelection


Report = t.Callable[[str], None]
_REPORT_EVERY = 3.0
_MEGABYTE = 1_000_000


class Feed:
    """Gives the object to a program and keeps the checksum of all of it."""

    def __init__(self, bucket: S3Bucket, backup: Backup, report: Report) -> None:
        self._bucket = bucket
        self._backup = backup
        self._report = report
        self._digest = hashlib.sha256()
        self._size = 0

    def send(self, running: Child) -> None:
        """To the object's end, be the program satisfied before or not; a program that failed gets no more."""
        listens = True
        reported = time.monotonic()
        for chunk in self._bucket.read(self._backup.manifest.key):
            self._digest.update(chunk)
            self._size += len(chunk)
            if listens and not running.give(chunk):
                listens = False
                if running.exit_code() != 0:
                    return
            if time.monotonic() - reported >= _REPORT_EVERY:
                reported = time.monotonic()
                whole = self._backup.manifest.size // _MEGABYTE
                self._report(f"{self._size // _MEGABYTE} of {whole} MB of the backup read")

    def refuse_other_bytes(self, standing: str) -> None:
        manifest = self._backup.manifest
        if (self._size, self._digest.hexdigest()) == (manifest.size, manifest.sha256):
            return
        raise VerificationError(
            f"{self._backup.uri} is damaged: its checksum differs from the manifest's "
            f"({self._size} bytes came, {manifest.size} were stored). {standing}"
        )


def restore_into(
    order: RestoreRequest,
    bucket: S3Bucket,
    database: str,
    report: Report,
    selection: DumpSelection | None = None,
) -> None:
    """The whole dump, or a selection of it, into an empty database; raises unless every byte was right and pg_restore
    content."""
    feed = Feed(bucket, order.backup, report)
    with restoring(order, database, feed.send, selection) as running:
        refuse_failure(running, running.wait(), "pg_restore", order)
    feed.refuse_other_bytes(f"Its data in {database!r} is not used.")


def refuse_failure(running: Child, rc: int, program: str, order: RestoreRequest) -> None:
    if running.timed_out:
        raise NotReadyError(
            f"{program} did not end within {order.timeout:g} s and was stopped. Raise option "
            "'timeout' if it was still working, or if S3 is that slow."
        )
    if rc == 0:
        return
    reason = complaint(running, order.target.password)
    advice = cure(reason)
    if "role " in reason and "does not exist" in reason:
        advice = " Option 'owners' set to 'skip' restores without them."
    raise RefusedError(
        f"{program} failed on {order.backup.uri} with exit code {rc}: {reason}.{advice}", rc=rc
    )


Running: t.TypeAlias = "AbstractContextManager[Child]"


@contextmanager
def restoring(
    order: RestoreRequest, database: str, write: Writer, selection: DumpSelection | None
) -> Iterator[Child]:
    """A running pg_restore that restores the dump from `write` into that database.

    A selection restores only its entries, all owned by the restoring user.
    """
    target = order.aimed_at(database)
    owners = ["--no-owner"] if selection or not order.keep_owners else []
    with _listed(selection) as chosen:
        argv = [
            order.pg_restore.path,
            "--exit-on-error",
            "--no-password",
            *owners,
            *([] if order.keep_owners else ["--no-acl"]),
            *chosen,
            f"--dbname={connection_string(database)}",
        ]
        with _child_process.child(
            argv, environment(target), timeout=order.timeout, write=write
        ) as running:
            yield running


@contextmanager
def scripting(
    order: RestoreRequest, write: Writer, selection: DumpSelection | None
) -> Iterator[Child]:
    """A running pg_restore that converts a dump, or a selection, into SQL, which drops objects before creating them."""
    nothing = _child_process.child_environment({})
    with _listed(selection) as chosen:
        argv = [order.pg_restore.path, "--clean", "--if-exists", "--file=-", *chosen]
        with _child_process.child(argv, nothing, timeout=order.timeout, write=write) as running:
            yield running


@contextmanager
def _listed(selection: DumpSelection | None) -> Iterator[list[str]]:
    """The option for it, for as long as the block lasts."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as file:
        for line in selection.lines if selection else ():
            file.write(f"{line}\n")
        file.flush()
        yield [f"--use-list={file.name}"] if selection else []


def executing(order: RestoreRequest, write: Writer) -> Running:
    """A running psql that executes the SQL from `write` and ends at the first error."""
    argv = [
        order.psql.path,
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--variable=ON_ERROR_STOP=1",
    ]
    return _child_process.child(argv, environment(order.target), timeout=order.timeout, write=write)


def environment(target: PostgresTarget) -> dict[str, str]:
    return _child_process.child_environment(
        {**target.environment(), "PGAPPNAME": APPLICATION, "PGCLIENTENCODING": "UTF8"}
    )


def connection_string(database: str) -> str:
    """A name with an equals sign or a scheme in it would be read as more than a name."""
    quoted = database.replace("\\", r"\\").replace("'", r"\'")
    return f"dbname='{quoted}'"
