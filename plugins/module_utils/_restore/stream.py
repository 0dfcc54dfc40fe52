# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Feed a dump from S3 to a program, and know at the end whether it was the dump that was backed up."""

from __future__ import annotations

import hashlib
import time
import typing as t

from .._backup import locks
from .._errors import NotReadyError, RefusedError, VerificationError
from . import programs

if t.TYPE_CHECKING:
    from .._backup.models import Backup
    from .._child_process import Child
    from .._s3 import Bucket
    from .models import RestoreRequest
    from .selection import Selection

Report = t.Callable[[str], None]
_REPORT_EVERY = 3.0
_MEGABYTE = 1_000_000


class Feed:
    """Gives the object to a program and keeps the checksum of all of it."""

    def __init__(self, bucket: Bucket, backup: Backup, report: Report) -> None:
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
    bucket: Bucket,
    database: str,
    report: Report,
    selection: Selection | None = None,
) -> None:
    """The whole dump, or a selection of it, into an empty database; raises unless every byte was right and pg_restore
    content."""
    feed = Feed(bucket, order.backup, report)
    with programs.restoring(order, database, feed.send, selection) as running:
        refuse_failure(running, running.wait(), "pg_restore", order)
    feed.refuse_other_bytes(f"Its data in {database!r} is not used.")


def refuse_failure(running: Child, rc: int, program: str, order: RestoreRequest) -> None:
    if running.starved and program == "pg_restore":
        raise NotReadyError(
            f"{order.backup.uri} could not be read within {order.timeout:g} s. Raise option "
            "'timeout' if S3 is this slow."
        )
    if running.timed_out:
        raise NotReadyError(
            f"{program} did not end within {order.timeout:g} s and was stopped. Raise option "
            "'timeout' if it was still working."
        )
    if rc == 0:
        return
    reason = programs.complaint(running, order.target.password)
    advice = locks.cure(reason)
    if _is_about_roles(reason):
        advice = " Option 'owners' set to 'skip' restores without them."
    raise RefusedError(
        f"{program} failed on {order.backup.uri} with exit code {rc}: {reason}.{advice}", rc=rc
    )


def _is_about_roles(reason: str) -> bool:
    return "role " in reason and "does not exist" in reason
