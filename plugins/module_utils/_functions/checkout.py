# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the application's checkout for functions, and each function's settings in supabase/config.toml."""

from __future__ import annotations

import posixpath
import tomllib
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import InputError


@dataclass(frozen=True)
class FunctionConfig:
    """Paths are relative to the checkout's root, or empty."""

    enabled: bool = True
    verify_jwt: bool | None = None
    entrypoint: str = ""
    import_map: str = ""
    static_files: tuple[str, ...] = ()


_KINDS: dict[str, tuple[type, str]] = {
    "enabled": (bool, "true or false"),
    "verify_jwt": (bool, "true or false"),
    "entrypoint": (str, "a path"),
    "import_map": (str, "a path"),
    "static_files": (list, "a list of paths"),
}


def read_config(path: str, content: bytes | None, project_ref: str) -> dict[str, FunctionConfig]:
    """Settings by function. Those under a remote of this project override the general ones."""
    if content is None:
        return {}
    try:
        parsed = tomllib.loads(content.decode("utf-8-sig"))
    except ValueError as exc:
        raise InputError(f"{path} is not TOML: {exc}.") from exc
    remotes = [
        remote
        for remote in _table(parsed, "remotes").values()
        if isinstance(remote, dict) and remote.get("project_id") == project_ref
    ]
    merged: dict[str, dict[str, t.Any]] = {}
    for source in (parsed, *remotes):
        for slug, settings in _table(source, "functions").items():
            # Beside the functions stand settings of all of them, which are no tables.
            if isinstance(settings, dict):
                merged.setdefault(slug, {}).update(settings)
    return {slug: _function(path, slug, settings) for slug, settings in merged.items()}


def _table(parsed: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    section = parsed.get(name, {})
    return section if isinstance(section, dict) else {}


def _function(path: str, slug: str, settings: dict[str, t.Any]) -> FunctionConfig:
    for key, (kind, words) in _KINDS.items():
        if key in settings and not isinstance(settings[key], kind):
            raise InputError(
                f"{path} says {key} = {settings[key]!r} of function {slug!r}: it is {words}."
            )
    folder = posixpath.dirname(path)

    def located(given: str) -> str:
        return posixpath.normpath(posixpath.join(folder, given)) if given else ""

    return FunctionConfig(
        enabled=settings.get("enabled", True),
        verify_jwt=settings.get("verify_jwt"),
        entrypoint=located(settings.get("entrypoint", "")),
        import_map=located(settings.get("import_map", "")),
        static_files=tuple(located(str(pattern)) for pattern in settings.get("static_files", ())),
    )


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
        directory = self._root / folder
        return sorted(path.name for path in directory.iterdir() if path.is_dir())

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
