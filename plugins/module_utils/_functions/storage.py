# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where archives are kept: a file, and a bucket under a name that says what is in it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import ConflictError, VerificationError
from .._release.packing import LIMIT
from .archive import Archive, checked, write_archive

if t.TYPE_CHECKING:
    from .._s3 import Bucket


@dataclass(frozen=True)
class Saved:
    """`key` is empty without a bucket. `attachable` tells whether a release record can hold the file."""

    path: str
    sha256: str
    size: int
    attachable: bool
    bucket: str
    key: str

    def to_result(self) -> dict[str, t.Any]:
        return dict(vars(self))


def keep(
    archive: Archive, path: Path, bucket: Bucket | None, folder: str, *, check_mode: bool
) -> Saved:
    """`folder` is the key's beginning. In check mode nothing is written anywhere."""
    content = archive.dump()
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"{folder}{sha256[:16]}.json" if bucket else ""
    packed = len(gzip.compress(content, compresslevel=9, mtime=0)) * 4 // 3 + 4
    if not check_mode:
        write_archive(path, content)
        if bucket:
            _store(bucket, key, content, sha256)
    return Saved(
        str(path), sha256, len(content), packed <= LIMIT, bucket.name if bucket else "", key
    )


def fetch(bucket: Bucket, key: str, sha256: str | None) -> Archive:
    return checked(b"".join(bucket.read(key)), sha256, f"{key} in bucket {bucket.name}")


def _store(bucket: Bucket, key: str, content: bytes, sha256: str) -> None:
    """The key is made of the content, so one that is there already holds it. Read back either way."""
    with contextlib.suppress(ConflictError):
        bucket.put_new(key, content)
    stored = hashlib.sha256(b"".join(bucket.read(key))).hexdigest()
    if stored != sha256:
        raise VerificationError(
            f"{key} in bucket {bucket.name} does not have the stored archive: find out who else "
            "writes to the bucket. Nothing was activated.",
            activated=False,
        )
