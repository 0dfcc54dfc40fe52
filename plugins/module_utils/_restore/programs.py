# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_restore and psql as this collection calls them, fed from S3. Passwords reach them by environment only."""

from __future__ import annotations

import hashlib
import tempfile
import time
import typing as t
from contextlib import AbstractContextManager, contextmanager

from .. import _child_process
from .._backup.programs import complaint, refuse_stopped
from .._backup.tables import cure
from .._child_process import Child, Writer
from .._errors import RefusedError, VerificationError
from .._postgres import PostgresTarget
from .databases import APPLICATION
from .models import RestoreRequest
from .selection import DumpSelection

_REPORT_EVERY = 3.0
_MEGABYTE = 1_000_000


class Feed:
    """Gives the object to a program and keeps the checksum of all of it."""

    def __init__(self, order: RestoreRequest) -> None:
        self._order = order
        self._manifest = order.backup.manifest
        self._digest = hashlib.sha256()
        self._size = 0

    def send(self, running: Child) -> None:
        """To the object's end, be the program satisfied before or not; a program that failed gets no more."""
        listens = True
        reported = time.monotonic()
        for chunk in self._order.bucket.read(self._manifest.key):
            self._digest.update(chunk)
            self._size += len(chunk)
            if listens and not running.give(chunk):
                listens = False
                if running.exit_code() != 0:
                    return
            if time.monotonic() - reported >= _REPORT_EVERY:
                reported = time.monotonic()
                whole = self._manifest.size // _MEGABYTE
                self._order.report(f"{self._size // _MEGABYTE} of {whole} MB of the backup read")

    def refuse_other_bytes(self, standing: str) -> None:
        size = self._manifest.size
        if (self._size, self._digest.hexdigest()) == (size, self._manifest.sha256):
            return
        raise VerificationError(
            f"{self._order.backup.uri} is damaged: its checksum differs from the manifest's "
            f"({self._size} bytes came, {size} were stored). {standing}"
        )


def restore_into(order: RestoreRequest, database: str, selection: DumpSelection) -> None:
    """The whole dump, or a selection of it, into an empty database; raises unless every byte was right and pg_restore
    content."""
    feed = Feed(order)
    with restoring(order, database, feed.send, selection) as running:
        refuse_failure(running, running.wait(), "pg_restore", order)
    feed.refuse_other_bytes(f"Its data in {database!r} is not used.")


def refuse_failure(running: Child, rc: int, program: str, order: RestoreRequest) -> None:
    refuse_stopped(running, program, order.timeout, "what it had restored is not used")
    if rc == 0:
        return
    reason = complaint(running, order.target.password)
    advice = cure(reason)
    if "role " in reason and "does not exist" in reason:
        advice = " Option 'owners' set to 'skip' restores without them."
    raise RefusedError(
        f"{program} failed on {order.backup.uri} with exit code {rc}: {reason}.{advice}", rc=rc
    )


@contextmanager
def restoring(
    order: RestoreRequest, database: str | None, write: Writer, selection: DumpSelection
) -> t.Iterator[Child]:
    """A running pg_restore that restores the dump from `write` into that database.

    Without one it converts the dump into SQL, which drops objects before creating them. A selection restores only its
    entries, all owned by the restoring user.
    """
    if database is None:
        variables = _child_process.child_environment({})
        options = ["--clean", "--if-exists", "--file=-"]
    else:
        variables = environment(order.aimed_at(database))
        options = ["--exit-on-error", "--no-password"]
        options += ["--no-owner"] if selection.lines is not None or not order.keep_owners else []
        options += [] if order.keep_owners else ["--no-acl"]
        options += [f"--dbname={connection_string(database)}"]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as file:
        if selection.lines is not None:
            file.writelines(f"{line}\n" for line in selection.lines)
            file.flush()
            options += [f"--use-list={file.name}"]
        argv = [order.pg_restore.path, *options]
        with _child_process.child(argv, variables, timeout=order.timeout, write=write) as running:
            yield running


def executing(order: RestoreRequest, write: Writer) -> AbstractContextManager[Child]:
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
