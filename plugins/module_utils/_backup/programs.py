# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of pg_dump and pg_restore, and the output of `pg_restore --list` for a dump from S3.

Their output streams into one object of unknown length: parts side by side, bounded memory, all or nothing.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from .. import _child_process
from .._child_process import Child, Writer
from .._errors import InputError, NotReadyError, VerificationError
from .._postgres import mask_secret
from .._s3 import S3Bucket
from .._threads import Begun, begin
from .plan import GZIP, METHODS_SINCE, ZSTD, is_listing, parse_program_version

_PROBE_TIMEOUT = 20


@dataclass(frozen=True)
class Program:
    path: str
    major: int
    version: str

    @property
    def numbers(self) -> tuple[int, str]:
        return self.major, self.version


def find(name: str, option: str) -> Program:
    """A program of PostgreSQL by name or path, asked for its version."""
    path = _child_process.find_program(name, option)
    completed = _child_process.run(
        [path, "--version"], _child_process.child_environment({}), timeout=_PROBE_TIMEOUT
    )
    if completed.rc != 0:
        raise InputError(
            f"{path} --version failed with exit code {completed.rc}: {completed.stderr}"
        )
    return Program(path, *parse_program_version(completed.stdout))


def best_compression(pg_dump: Program) -> str:
    """zstd when this pg_dump was built with it, else gzip.

    pg_dump reports a lack of zstd only when it is used, and before any connection.
    """
    if pg_dump.major < METHODS_SINCE:
        return GZIP
    nowhere = {"PGHOST": "/nonexistent", "PGDATABASE": "none"}
    completed = _child_process.run(
        [pg_dump.path, "--format=custom", f"--compress={ZSTD}"],
        _child_process.child_environment(nowhere),
        timeout=_PROBE_TIMEOUT,
    )
    return GZIP if "does not support compression" in completed.stderr else ZSTD


def list_dump(
    pg_restore: Program, what: str, write: Writer, *, timeout: float, consequence: str
) -> tuple[str, ...]:
    """The lines of the listing of the dump `what`. `write` feeds pg_restore, which reads only its beginning.

    Raises the errors of `write`, NotReadyError after so many seconds, and VerificationError for what is no dump.
    """
    with _child_process.child(
        [pg_restore.path, "--list"],
        _child_process.child_environment({}),
        timeout=timeout,
        write=write,
    ) as running:
        lines = tuple(line.decode("utf-8", "replace").rstrip("\r\n") for line in running.stdout)
        rc = running.wait()
        refuse_stopped(running, f"pg_restore --list of {what}", timeout, consequence)
        if rc != 0 or not is_listing(lines):
            reason = running.stderr() or "it did not mention a dump"
            raise VerificationError(
                f"pg_restore cannot read {what} (exit code {rc}: {reason}); {consequence}."
            )
        return lines


def refuse_stopped(running: Child, what: str, timeout: float, consequence: str) -> None:
    if running.timed_out:
        raise NotReadyError(
            f"{what} did not end within {timeout:g} s and was stopped; {consequence}. Raise option 'timeout' if it was "
            "still working, or if S3 or this machine is that slow."
        )


def complaint(running: Child, password: str | None) -> str:
    """Its first line about an error, without the lines of data that PostgreSQL adds."""
    lines = mask_secret(running.stderr(), password).splitlines()
    telling = (line for line in lines if "error:" in line or "ERROR:" in line or "FATAL:" in line)
    return next(telling, lines[-1] if lines else "no reason given").strip().rstrip(".")


Reporter = t.Callable[[str, dict[str, t.Any]], None]

EVERY = 5.0
_MEGABYTE = 1_000_000


class BackupProgress:
    """Reports progress. `report` gets one line for people, and the same as data."""

    def __init__(
        self, name: str, report: Reporter, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._report = report
        self._clock = clock
        self._began = self._last = clock()

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    def dumped(self, size: int) -> None:
        """Bytes so far."""
        if self._clock() - self._last >= EVERY:
            self._last = self._clock()
            self._emit(f"{size / _MEGABYTE:.0f} MB dumped, {self.seconds:.0f} s", "dump", size)

    def reading_back(self, size: int) -> None:
        self._emit(
            f"reading back {size / _MEGABYTE:.0f} MB, {self.seconds:.0f} s", "read back", size
        )

    def _emit(self, text: str, step: str, size: int) -> None:
        data = {"name": self._name, "step": step, "size": size, "seconds": round(self.seconds, 1)}
        self._report(f"{self._name}: {text}", data)


_PART = 8 << 20
# Bytes in flight, beside the part that is being read: four parts while they are small.
_IN_FLIGHT = 32 << 20
# S3 takes 10,000 parts an object; parts that grow keep a dump of any size below that.
_PARTS_PER_SIZE = 1600


class Upload:
    """A multipart upload in progress: no object until `complete`. `stop` leaves its parts for an abort."""

    def __init__(self, bucket: S3Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self.upload = bucket.start_upload(key)
        self._digest = hashlib.sha256()
        self.size = 0
        self._pending: deque[tuple[int, Begun[str]]] = deque()
        self._etags: list[str] = []
        self._started = 0

    def send(self, source: t.IO[bytes], passed: t.Callable[[int], None]) -> None:
        """Read `source` to its end; `passed` gets the bytes so far."""
        # No name may keep a chunk longer than it is on its way: it is a large part of our memory.
        while self._make_room(part_size(self._started)) and self._send_one(source, passed):
            pass

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def complete(self) -> None:
        """Raises the error of any part."""
        while self._pending:
            self._collect()
        self._bucket.complete_upload(self._key, self.upload, self._etags)

    def stop(self) -> None:
        """Send no more. Returns when nothing is in flight."""
        while self._pending:
            with suppress(
                Exception
            ):  # the upload is given up, so the results of its parts do not matter
                self._pending.popleft()[1].result()

    def _send_one(self, source: t.IO[bytes], passed: t.Callable[[int], None]) -> bool:
        chunk = source.read(part_size(self._started))
        if not chunk:
            return False
        self._digest.update(chunk)
        self.size += len(chunk)
        passed(self.size)
        self._started += 1
        self._pending.append((len(chunk), self._begin(self._started, chunk)))
        return True

    def _begin(self, number: int, chunk: bytes) -> Begun[str]:
        return begin(lambda: self._bucket.upload_part(self._key, self.upload, number, chunk))

    def _make_room(self, wanted: int) -> bool:
        """Always True, once the next part fits beside those on their way."""
        while self._pending and sum(size for size, _part in self._pending) + wanted > _IN_FLIGHT:
            self._collect()
        return True

    def _collect(self) -> None:
        # Parts are collected in the order they were started, which is the order of their numbers.
        self._etags.append(self._pending.popleft()[1].result())


def part_size(parts_before: int) -> int:
    """8 MiB, and twice as much after each 1,600 parts: 10,000 of them hold 987 GiB.

    Parts of more than 32 MiB, and with them more memory, begin at a dump of 87 GiB.
    """
    return int(_PART << (parts_before // _PARTS_PER_SIZE))
