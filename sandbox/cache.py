# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are costly to make and the same in every run: made once, whole or not at all."""

from __future__ import annotations

import fcntl
import shutil
import typing as t
from pathlib import Path


def cached(cache: Path, name: str, make: t.Callable[[Path], None]) -> Path:
    """The folder `cache/name`; when it is missing `make` fills it. Other processes wait meanwhile."""
    made = cache / name
    if made.is_dir():
        return made
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            partial = cache / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o755)
            make(partial)
            partial.replace(made)
    return made
