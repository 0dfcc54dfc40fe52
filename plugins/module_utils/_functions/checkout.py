# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that reads the application's checkout for functions."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError


class FolderCheckout:
    """Reads a folder on disk; paths are posix and relative to `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except PermissionError as exc:
            raise InputError(
                f"{self._root / path} cannot be read: allow this user to read it."
            ) from exc

    def walk(self, folder: str) -> list[str]:
        below = (self._root / folder).rglob("*")
        return sorted(path.relative_to(self._root).as_posix() for path in below if path.is_file())
