# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's files at both versions.

`checkout/v2.0.0` holds the release whole. `checkout/v1.9.0` holds only the files that differ there; the
rest of the previous version are the release's files without its new migrations.
"""

from __future__ import annotations

import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION

CHECKOUTS = Path(__file__).with_name("checkout")
SUPABASE_MIGRATIONS = Path("supabase/migrations")
PRISMA_MIGRATIONS = Path("packages/db/prisma/migrations")
# How the paths of the release's own migrations begin: all were written in November 2025.
ADDED_BY_RELEASE = (f"{SUPABASE_MIGRATIONS}/202511", f"{PRISMA_MIGRATIONS}/202511")


def application_files(version: str) -> dict[str, bytes]:
    """Each file of the application's repository at `version`, by its path there."""
    files = _read(CHECKOUTS / f"v{RELEASE_VERSION}")
    if version == PREVIOUS_VERSION:
        kept = {path: text for path, text in files.items() if not path.startswith(ADDED_BY_RELEASE)}
        files = kept | _read(CHECKOUTS / f"v{PREVIOUS_VERSION}")
    return dict(sorted(files.items()))


def write_application(version: str, folder: Path) -> None:
    for name, content in application_files(version).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def checkout(version: str) -> t.Iterator[Path]:
    """A temporary folder with the application's repository at `version`."""
    with tempfile.TemporaryDirectory() as folder:
        write_application(version, Path(folder))
        yield Path(folder)


def _read(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
