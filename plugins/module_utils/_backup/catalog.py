# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read which backups a bucket holds: a dump without a manifest of its size is none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._backup.models import (
    MANIFEST_SUFFIX,
    Backup,
    Manifest,
    manifest_pattern,
)

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._s3 import Bucket


@dataclass(frozen=True)
class Catalog:
    backups: tuple[Backup, ...]
    broken: tuple[str, ...]
    """Manifests that do not describe the dump beside them, each with why."""


def read_catalog(bucket: Bucket, *, prefix: str, name: str | None = None) -> Catalog:
    """The backups under `prefix`, all or those of one logical database."""
    sizes = {stored.key: stored.size for stored in bucket.list(prefix + (name or ""))}
    wanted = manifest_pattern(prefix, name)
    backups: list[Backup] = []
    broken: list[str] = []
    for key in sorted(filter(wanted.fullmatch, sizes)):
        try:
            manifest = Manifest.from_json(b"".join(bucket.read(key)))
        except ValueError:
            broken.append(f"{key} is not a manifest")
            continue
        problem = _problem(manifest, key.removesuffix(MANIFEST_SUFFIX), sizes)
        if problem:
            broken.append(f"{key}: {problem}")
        else:
            backups.append(Backup(bucket=bucket.name, manifest=manifest))
    return Catalog(backups=tuple(backups), broken=tuple(broken))


def _problem(manifest: Manifest, key: str, sizes: t.Mapping[str, int]) -> str:
    if manifest.key != key:
        return f"it describes {manifest.key}"
    if key not in sizes:
        return "its dump is gone"
    if sizes[key] != manifest.size:
        return f"its dump has {sizes[key]} bytes and should have {manifest.size}"
    return ""
