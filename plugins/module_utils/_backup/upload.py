# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Stream bytes of unknown length into one object: parts side by side, bounded memory, all or nothing."""

from __future__ import annotations

import hashlib
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._s3 import Bucket

_PART = 16 << 20
_IN_FLIGHT = 64 << 20
_THREADS = 4
# S3 takes 10,000 parts an object; parts that grow keep a dump of any size below that.
_PARTS_PER_SIZE = 2000


@dataclass(frozen=True)
class Uploaded:
    size: int
    sha256: str


class Upload:
    """A multipart upload being made. Not one until `complete`; `abort` leaves nothing behind."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._upload = bucket.start_upload(key)
        self._digest = hashlib.sha256()
        self._size = 0
        self._pending: deque[tuple[int, Future[str]]] = deque()
        self._etags: list[str] = []
        self._started = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3-part")

    def send(self, source: t.IO[bytes]) -> None:
        """Read `source` to its end."""
        while chunk := source.read(part_size(self._started)):
            self._digest.update(chunk)
            self._size += len(chunk)
            self._make_room(len(chunk))
            self._started += 1
            sent = self._pool.submit(
                self._bucket.upload_part, self._key, self._upload, self._started, chunk
            )
            self._pending.append((len(chunk), sent))

    def complete(self) -> Uploaded:
        while self._pending:
            self._collect()
        self._pool.shutdown()
        self._bucket.complete_upload(self._key, self._upload, self._etags)
        return Uploaded(size=self._size, sha256=self._digest.hexdigest())

    def abort(self) -> str:
        """Forget the parts. Says why when that failed; the first failure is the one to report."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            self._bucket.abort_upload(self._key, self._upload)
        except DeployError as exc:
            return str(exc)
        return ""

    def _make_room(self, wanted: int) -> None:
        while self._pending and sum(size for size, _part in self._pending) + wanted > _IN_FLIGHT:
            self._collect()

    def _collect(self) -> None:
        # Parts are collected in the order they were started, which is the order of their numbers.
        self._etags.append(self._pending.popleft()[1].result())


def part_size(parts_before: int) -> int:
    """16 MiB, and twice as much after each 2,000 parts: 10,000 of them hold 969 GiB."""
    return int(_PART << (parts_before // _PARTS_PER_SIZE))
