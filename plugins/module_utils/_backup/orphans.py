# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a backup that was not finished leaves behind, and its removal: parts, a dump without manifest, a local copy."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._errors import DeployError, RefusedError
from .models import dump_pattern, manifest_key

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from .._s3 import Bucket, StoredObject, Unfinished
    from .catalog import Catalog

# What was under way when its sender died may still arrive, so one look is not enough; and S3 may be away for a while.
LOOKS = (0.0, 1.0, 3.0)
_TRIES = 8
_LONGEST_PAUSE = 30.0
_LEAST = timedelta(hours=3)


@dataclass(frozen=True)
class Remains:
    """Everything that one backup leaves when it is not finished."""

    key: str
    local: tuple[Path, Path] | None = None
    """Where the local copy is made, and where it stays."""

    def remove(self, bucket: Bucket, uploads: Iterable[str] = ()) -> None:
        """A backup that has its manifest is none of it. Raises a DeployError when S3 does not let us."""
        if self.local:
            _unlink(self.local[0])
        self.abort_uploads(bucket, uploads)
        present = {stored.key for stored in bucket.list(self.key)}
        if manifest_key(self.key) in present:
            return
        if self.local:
            _unlink(self.local[1])
        if self.key in present:
            bucket.delete(self.key)

    def abort_uploads(self, bucket: Bucket, uploads: Iterable[str] = ()) -> None:
        for upload in {*uploads, *_unfinished(bucket, self.key)}:
            bucket.abort_upload(self.key, upload)


def run_cleanup(
    remains: Remains,
    connect: Callable[[], Bucket],
    notes: Sequence[str],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """What the process beside us does when we died: `connect` makes the bucket anew, for no connection is left."""
    bucket = connect()
    for pause in LOOKS:
        sleep(pause)
        _insist(lambda: remains.remove(bucket, notes), sleep)


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _insist(work: Callable[[], None], sleep: Callable[[float], None]) -> None:
    for attempt in range(_TRIES):
        try:
            work()
        except RefusedError:
            return
        except DeployError:
            sleep(min(_LONGEST_PAUSE, 2.0**attempt))
        else:
            return


def _unfinished(bucket: Bucket, key: str) -> set[str]:
    """Who may not list uploads knows only those that were noted."""
    try:
        return {one.upload for one in bucket.list_uploads(key) if one.key == key}
    except RefusedError:
        return set()


@dataclass(frozen=True)
class Sweep:
    """What earlier runs left of backups of this name, so long ago that none of them can be alive."""

    uploads: tuple[Unfinished, ...] = ()
    dumps: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    """Why something could not be seen or removed. That costs money, but no backup."""

    @property
    def keys(self) -> list[str]:
        return sorted({*self.dumps, *(one.key for one in self.uploads)})

    def apply(self, bucket: Bucket) -> None:
        try:
            for one in self.uploads:
                bucket.abort_upload(one.key, one.upload)
            for key in self.dumps:
                bucket.delete(key)
        except DeployError as exc:
            self.problems.append(f"Unfinished uploads of earlier runs could not be removed: {exc}")


def find_remains(
    bucket: Bucket, catalog: Catalog, prefix: str, name: str, *, timeout: float, now: datetime
) -> Sweep:
    """What of earlier runs for this name may go."""
    uploads: tuple[Unfinished, ...] = ()
    problems: list[str] = []
    try:
        uploads = tuple(bucket.list_uploads(f"{prefix}{name}_"))
    except RefusedError as exc:
        problems = [f"Unfinished uploads of earlier runs are unknown: {exc}"]
    planned = plan_sweep(
        uploads, catalog.unsealed, prefix=prefix, name=name, timeout=timeout, now=now
    )
    return replace(planned, problems=problems)


def plan_sweep(
    uploads: Iterable[Unfinished],
    unsealed: Iterable[StoredObject],
    *,
    prefix: str,
    name: str,
    timeout: float,
    now: datetime,
) -> Sweep:
    """Of this very name only. A run may take `timeout` seconds to dump and as many to read back; the rest is margin."""
    ours = dump_pattern(prefix, name)
    before = now - max(_LEAST, timedelta(hours=1, seconds=2 * timeout))
    return Sweep(
        uploads=tuple(one for one in uploads if ours.fullmatch(one.key) and one.started < before),
        dumps=tuple(
            one.key for one in unsealed if ours.fullmatch(one.key) and one.modified < before
        ),
    )
