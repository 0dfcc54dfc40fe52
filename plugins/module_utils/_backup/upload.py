# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream bytes of unknown length into one object: parts side by side, bounded memory, all or nothing."""

from __future__ import annotations

import hashlib
import time
import typing as t
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from .._threads import begin

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .._s3 import Bucket
    from .._threads import Begun


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


@dataclass(frozen=True)
class Uploaded:
    size: int
    sha256: str


class Upload:
    """A multipart upload in progress: no object until `complete`. `stop` leaves its parts for an abort."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self.upload = bucket.start_upload(key)
        self._digest = hashlib.sha256()
        self._size = 0
        self._pending: deque[tuple[int, Begun[str]]] = deque()
        self._etags: list[str] = []
        self._started = 0

    def send(self, source: t.IO[bytes], passed: Callable[[bytes, int], None]) -> None:
        """Read `source` to its end; `passed` gets each chunk and the bytes so far."""
        # No name may keep a chunk longer than it is on its way: it is a large part of our memory.
        while self._make_room(part_size(self._started)) and self._send_one(source, passed):
            pass

    def complete(self) -> Uploaded:
        while self._pending:
            self._collect()
        self._bucket.complete_upload(self._key, self.upload, self._etags)
        return Uploaded(size=self._size, sha256=self._digest.hexdigest())

    def stop(self) -> None:
        """Send no more. Returns when nothing is in flight."""
        while self._pending:
            with suppress(
                Exception
            ):  # the upload is given up, so the results of its parts do not matter
                self._pending.popleft()[1].result()

    def _send_one(self, source: t.IO[bytes], passed: Callable[[bytes, int], None]) -> bool:
        chunk = source.read(part_size(self._started))
        if not chunk:
            return False
        self._digest.update(chunk)
        self._size += len(chunk)
        passed(chunk, self._size)
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
