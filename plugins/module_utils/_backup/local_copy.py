# SPDX-License-Identifier: GPL-3.0-or-later
"""An extra copy of a dump in a local folder, written while the dump streams and named only once it is proven."""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from .._errors import InputError, RefusedError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_UNPROVEN = ".part"


class LocalCopy:
    """A copy that only its owner may read. Its name ends in .part until `keep`."""

    def __init__(self, paths: tuple[Path, Path], descriptor: int) -> None:
        self._unproven, self.path = paths
        self._descriptor = descriptor

    def write(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        with self._explained():
            while left:
                left = left[os.write(self._descriptor, left) :]

    def keep(self) -> None:
        """On the disk, and under its name."""
        with self._explained():
            os.fsync(self._descriptor)
            # The random part makes the name unique: nothing is replaced.
            self._unproven.rename(self.path)
            _sync_folder(self.path.parent)

    def discard(self) -> None:
        for path in (self._unproven, self.path):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise _refusal(self.path.parent, exc) from exc


def paths(folder: Path, key: str) -> tuple[Path, Path]:
    """Where the copy of the object `key` is made, and where it stays."""
    final = folder / PurePosixPath(key).name
    return final.with_name(final.name + _UNPROVEN), final


@contextmanager
def opened(folder: Path | None, key: str) -> Iterator[LocalCopy | None]:
    """A copy being written, or None without a folder; an exception in the block leaves no file."""
    if folder is None:
        yield None
        return
    both = paths(folder, key)
    try:
        descriptor = os.open(both[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise _refusal(folder, exc) from exc
    copy = LocalCopy(both, descriptor)
    try:
        yield copy
    except BaseException:
        copy.discard()
        raise
    finally:
        os.close(descriptor)


def refuse_unusable(folder: Path) -> None:
    """Before anything is touched."""
    if not folder.is_dir():
        raise InputError(
            f"Option 'local_copy' is {str(folder)!r}, which is not a folder: create it, or correct the option."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"Option 'local_copy' is {str(folder)!r}, where this user may not write: allow it, "
            "or choose another folder."
        )


def _refusal(folder: Path, exc: OSError) -> RefusedError:
    return RefusedError(
        f"The local copy in {folder} cannot be written: {exc.strerror}. Nothing was kept, there "
        "or in S3: make room, or run without option 'local_copy'."
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
