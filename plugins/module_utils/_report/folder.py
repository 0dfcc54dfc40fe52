# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder a report lies in: read what is there, write what differs, each file whole or not at all."""

from __future__ import annotations

import os
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

from .._errors import InputError


class ReportFolder:
    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"dest is '{path}', which is a file: name a folder.")
        self._path = path

    def read(self, names: t.Iterable[str]) -> dict[str, str]:
        """Content by name; what is not there, or is no text, is missing."""
        found = {}
        for name in names:
            try:
                found[name] = (self._path / name).read_text(encoding="utf-8")
            except (FileNotFoundError, UnicodeDecodeError):
                continue
            except OSError as exc:
                raise InputError(f"{self._path / name} can't be read: {exc.strerror}.") from exc
        return found

    def write(self, files: t.Mapping[str, str]) -> None:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                # Another run may write the same file now.
                mine = f"{os.getpid()}-{threading.get_ident()}"
                partial = self._path / f".{name}.{mine}.partial"
                partial.write_text(content, encoding="utf-8")
                partial.replace(self._path / name)
        except OSError as exc:
            raise InputError(
                f"The report can't be written to {self._path} ({exc.strerror}): check dest."
            ) from exc


@contextmanager
def journal_lines(path: Path | None) -> t.Iterator[t.Iterable[str]]:
    """Line by line, for a journal may be large. None is there without a path or a file: nothing depends on it."""
    if path is None or not path.is_file():
        yield ()
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield file
    except OSError as exc:
        raise InputError(f"The journal {path} can't be read: {exc.strerror}.") from exc
