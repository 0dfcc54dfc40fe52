# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The folder of one diagnosis, for its owner's eyes alone."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime
from pathlib import Path

from .._errors import InputError

MOST_TRIES = 50


def folder_name(now: datetime) -> str:
    return f"diagnosis-{now.strftime('%Y%m%dT%H%M%SZ')}"


def make_folder(parent: Path, now: datetime) -> Path:
    """A new one below `parent`, mode 0700; one that is there is another diagnosis of the same second."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(MOST_TRIES):
            path = parent / (folder_name(now) + (f"-{number + 1}" if number else ""))
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return path
    except OSError as exc:
        raise InputError(
            f"No folder can be made in '{parent}' ({exc.strerror}): set 'dest'."
        ) from exc
    raise InputError(f"'{parent}' has {MOST_TRIES} diagnoses of this second: delete some.")


def write_files(folder: Path, files: t.Mapping[str, str]) -> None:
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w", encoding="utf-8", errors="replace") as file:
                file.write(content)
    except OSError as exc:
        raise InputError(f"'{folder}' can't be written ({exc.strerror}): make room there.") from exc
