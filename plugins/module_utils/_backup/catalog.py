# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read which backups a bucket holds: a dump without a manifest of its size is none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._threads import side_by_side
from .models import MANIFEST_SUFFIX, Backup, Manifest, dump_pattern, manifest_key, manifest_pattern

if t.TYPE_CHECKING:
    from .._s3 import Bucket, StoredObject


_READERS = 8
# Ten thousand tables make a manifest of half a megabyte.
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Catalog:
    backups: tuple[Backup, ...]
    broken: tuple[str, ...]
    """Manifests that do not describe the dump beside them, each with why."""
    unsealed: tuple[StoredObject, ...] = ()
    """Dumps without a manifest: one being made, or the remains of one."""


def read_catalog(bucket: Bucket, *, prefix: str, name: str | None = None) -> Catalog:
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
    return Catalog(backups=tuple(backups), broken=tuple(broken), unsealed=unsealed)


def _read_manifest(bucket: Bucket, stored: StoredObject) -> Manifest | None:
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
