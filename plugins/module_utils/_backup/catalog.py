# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a bucket and the remains of unfinished ones. A dump without a manifest of its size is no backup."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._errors import DeployError, RefusedError
from .._threads import side_by_side
from .plan import MANIFEST_SUFFIX, Backup, Manifest, dump_pattern, manifest_key, manifest_pattern

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from .._s3 import S3Bucket, StoredObject, Unfinished


_READERS = 8
# Ten thousand tables make a manifest of half a megabyte.
_LARGEST = 16 << 20


@dataclass(frozen=True)
class BackupCatalog:
    backups: tuple[Backup, ...]
    broken: tuple[str, ...]
    """Manifests that do not describe the dump beside them, each with why."""
    unsealed: tuple[StoredObject, ...] = ()
    """Dumps without a manifest: of a running backup, or the remains of one."""


def read_catalog(bucket: S3Bucket, *, prefix: str, name: str | None = None) -> BackupCatalog:
    """The backups under `prefix`, all or those of one logical database."""
    stored = {each.key: each for each in bucket.list(prefix + (name or ""))}
    keys = sorted(filter(manifest_pattern(prefix, name).fullmatch, stored))
    read = side_by_side(lambda key: _read_manifest(bucket, stored[key]), keys, at_once=_READERS)
    manifests = dict(zip(keys, read, strict=True))
    backups: list[Backup] = []
    broken: list[str] = []
    for key, manifest in manifests.items():
        if manifest is None:
            broken.append(f"{key} is not a manifest")
        elif problem := _problem(manifest, prefix, key.removesuffix(MANIFEST_SUFFIX), stored):
            broken.append(f"{key}: {problem}")
        else:
            backups.append(Backup(bucket=bucket.name, manifest=manifest))
    dumps = filter(dump_pattern(prefix, name).fullmatch, stored)
    unsealed = tuple(stored[key] for key in sorted(dumps) if manifest_key(key) not in stored)
    return BackupCatalog(backups=tuple(backups), broken=tuple(broken), unsealed=unsealed)


def _read_manifest(bucket: S3Bucket, stored: StoredObject) -> Manifest | None:
    if stored.size > _LARGEST:
        return None
    try:
        return Manifest.from_json(b"".join(bucket.read(stored.key)))
    except (ValueError, RecursionError):
        return None


def _problem(
    manifest: Manifest, prefix: str, key: str, stored: t.Mapping[str, StoredObject]
) -> str:
    if manifest.key != key:
        return f"it describes {manifest.key}"
    if not dump_pattern(prefix, manifest.name).fullmatch(key):
        return f"it is for {manifest.name}"
    if key not in stored:
        return "its dump is gone"
    if stored[key].size != manifest.size:
        return f"its dump has {stored[key].size} bytes and should have {manifest.size}"
    return ""


# What was under way when its sender died may still arrive, so one look is not enough; and S3 may be away for a while.
LOOKS = (0.0, 1.0, 3.0)
_TRIES = 8
_LONGEST_PAUSE = 30.0
_LEAST = timedelta(hours=3)


@dataclass(frozen=True)
class UnfinishedBackup:
    """Everything that an unfinished backup leaves."""

    key: str
    local: tuple[Path, Path] | None = None
    """Where the local copy is made, and where it stays."""

    def remove(self, bucket: S3Bucket, uploads: Iterable[str] = ()) -> None:
        """Remove the remains; a backup with its manifest stays. Raises a DeployError when S3 refuses."""
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

    def abort_uploads(self, bucket: S3Bucket, uploads: Iterable[str] = ()) -> None:
        for upload in {*uploads, *_unfinished(bucket, self.key)}:
            bucket.abort_upload(self.key, upload)


def run_cleanup(
    remains: UnfinishedBackup,
    connect: Callable[[], S3Bucket],
    notes: Sequence[str],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Clean up in the process beside us after our death. `connect` opens the bucket again: our connection is gone."""
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


def _unfinished(bucket: S3Bucket, key: str) -> set[str]:
    """Ids of the unfinished uploads; none without the right to list them."""
    try:
        return {upload.upload for upload in bucket.list_uploads(key) if upload.key == key}
    except RefusedError:
        return set()


@dataclass(frozen=True)
class UnfinishedBackups:
    """Remains of earlier runs for this name, so old that no run of them can be alive."""

    uploads: tuple[Unfinished, ...] = ()
    dumps: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    """Errors of listing or removing. These cost money, but no backup."""

    @property
    def keys(self) -> list[str]:
        return sorted({*self.dumps, *(upload.key for upload in self.uploads)})

    def apply(self, bucket: S3Bucket) -> None:
        try:
            for upload in self.uploads:
                bucket.abort_upload(upload.key, upload.upload)
            for key in self.dumps:
                bucket.delete(key)
        except DeployError as exc:
            self.problems.append(f"Unfinished uploads of earlier runs could not be removed: {exc}")


def find_remains(
    bucket: S3Bucket,
    catalog: BackupCatalog,
    prefix: str,
    name: str,
    *,
    timeout: float,
    now: datetime,
) -> UnfinishedBackups:
    """The remains of earlier runs for this name that may be removed."""
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
) -> UnfinishedBackups:
    """Of this very name only. A run may take `timeout` seconds to dump and as many to read back; the rest is margin."""
    ours = dump_pattern(prefix, name)
    before = now - max(_LEAST, timedelta(hours=1, seconds=2 * timeout))
    return UnfinishedBackups(
        uploads=tuple(
            upload for upload in uploads if ours.fullmatch(upload.key) and upload.started < before
        ),
        dumps=tuple(
            dump.key for dump in unsealed if ours.fullmatch(dump.key) and dump.modified < before
        ),
    )
