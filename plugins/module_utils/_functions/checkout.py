# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that reads the application's checkout for functions."""

from __future__ import annotations

from pathlib import Path

from .._errors import InputError


class FolderCheckout:
    """Reads a folder on disk; paths are posix and relative to `root`.

    A link may lead to any place of the repository that the folder belongs to, and not out of it: what is uploaded must
    not depend on the machine.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._repository = _repository(root.resolve())
        self._read: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Read once: functions share their modules."""
        if path not in self._read:
            self._read[path] = self._content(path)
        return self._read[path]

    def walk(self, folder: str) -> list[str]:
        below = (self._root / folder).rglob("*")
        return sorted(path.relative_to(self._root).as_posix() for path in below if path.is_file())

    def is_folder(self, path: str) -> bool:
        return (self._root / path).is_dir()

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in `folder`."""
        found = self._root / folder
        return sorted(path.name for path in found.iterdir() if path.is_dir())

    def _content(self, path: str) -> bytes | None:
        place = self._root / path
        try:
            content = place.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except PermissionError as exc:
            raise InputError(f"{place} cannot be read: allow this user to read it.") from exc
        except OSError as exc:
            raise InputError(f"{place} cannot be read: {exc.strerror}.") from exc
        if not place.resolve().is_relative_to(self._repository):
            raise InputError(
                f"{place} is a link out of {self._repository}: keep the file in the repository."
            )
        return content


def _repository(root: Path) -> Path:
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
    return root
