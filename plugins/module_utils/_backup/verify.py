# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Prove a dump by what S3 gives back, never by what was sent."""

from __future__ import annotations

import hashlib
import time
import typing as t

from .._errors import NotReadyError, VerificationError
from .listing import list_dump
from .plan import Contents, parse_contents

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._child_process import Child
    from .._s3 import Bucket
    from .programs import Program
    from .tables import Table
    from .upload import Uploaded


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
