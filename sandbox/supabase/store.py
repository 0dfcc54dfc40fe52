# SPDX-License-Identifier: GPL-3.0-or-later
"""What the project remembers over a restart of this process: functions, their sources, secrets."""

from __future__ import annotations

import json
import shutil
import typing as t
from dataclasses import asdict
from pathlib import Path

from sandbox.supabase.functions import Function, Upload
from sandbox.world import write_private


class Store:
    """Functions by slug and secrets by name in memory, each change written through to disk.

    Sources lie in folders named by their digest: two versions of the same bytes share one, and
    a version that is served is never written to.
    """

    def __init__(self, folder: Path) -> None:
        self._functions_file = folder / "functions.json"
        self._secrets_file = folder / "secrets.json"
        self._sources = folder / "sources"
        self.functions: dict[str, Function] = {
            entry["slug"]: Function(**entry) for entry in _read(self._functions_file)
        }
        self.secrets: dict[str, dict[str, str]] = {
            entry["name"]: entry for entry in _read(self._secrets_file)
        }
        """Each with name, value and updated_at."""

    def save_functions(self, changed: t.Iterable[Function]) -> None:
        self.functions = self.functions | {function.slug: function for function in changed}
        self._write_functions()

    def delete_function(self, slug: str) -> None:
        self.functions = {key: value for key, value in self.functions.items() if key != slug}
        self._write_functions()

    def save_secrets(self, secrets: dict[str, dict[str, str]]) -> None:
        self.secrets = secrets
        _write(self._secrets_file, list(secrets.values()))

    def source_folder(self, digest: str) -> Path:
        return self._sources / digest[:24]

    def save_sources(self, upload: Upload) -> None:
        folder = self.source_folder(upload.digest)
        if folder.exists():
            return
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for path, content in upload.files.items():
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        partial.rename(folder)

    def read_sources(self, function: Function) -> dict[str, bytes]:
        folder = self.source_folder(function.ezbr_sha256)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def _write_functions(self) -> None:
        _write(self._functions_file, [asdict(entry) for entry in self.functions.values()])


def _read(path: Path) -> list[dict[str, t.Any]]:
    try:
        return t.cast("list[dict[str, t.Any]]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def _write(path: Path, entries: list[t.Any]) -> None:
    partial = path.with_suffix(".partial")
    write_private(partial, json.dumps(entries).encode())
    partial.replace(path)
