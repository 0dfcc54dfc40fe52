# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a bucket, and the removal of unfinished ones. A dump without a manifest of its size is no backup."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._errors import DeployError, RefusedError
from .._s3 import S3Bucket, StoredObject
from .._threads import side_by_side
from .plan import MANIFEST_SUFFIX, Backup, Manifest, dump_pattern, manifest_key, manifest_pattern

_READERS = 8
# Ten thousand tables make a manifest of half a megabyte.
_LARGEST = 16 << 20


@dataclass(frozen=True)
class BackupCatalog:
    backups: tuple[Backup, ...]
    broken: tuple[str, ...]
    """Manifests that do not describe the dump beside them, each with why."""


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
    return BackupCatalog(backups=tuple(backups), broken=tuple(broken))


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


def remove_remains(bucket: S3Bucket, key: str, uploads: t.Iterable[str] = ()) -> None:
    """Remove what an unfinished backup left; one with its manifest stays. Raises a DeployError when S3 refuses."""
    abort_uploads(bucket, key, uploads)
    present = {stored.key for stored in bucket.list(key)}
    if key in present and manifest_key(key) not in present:
        bucket.delete(key)


def abort_uploads(bucket: S3Bucket, key: str, uploads: t.Iterable[str] = ()) -> None:
    """Those of the key that can be listed, and `uploads`."""
    for upload in {*uploads, *_unfinished(bucket, key)}:
        bucket.abort_upload(key, upload)


def run_cleanup(
    key: str,
    connect: t.Callable[[], S3Bucket],
    notes: t.Sequence[str],
    sleep: t.Callable[[float], None] = time.sleep,
) -> None:
    """Clean up in the process beside us after our death. `connect` opens the bucket again: our connection is gone."""
    bucket = connect()
    for pause in LOOKS:
        sleep(pause)
        _insist(lambda: remove_remains(bucket, key, notes), sleep)


def _insist(work: t.Callable[[], None], sleep: t.Callable[[float], None]) -> None:
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
        return {upload for stored, upload in bucket.list_uploads(key) if stored == key}
    except RefusedError:
        return set()
