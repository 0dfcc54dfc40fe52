# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a migration is before it runs, and what its run was."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MigrationFile:
    """A file as it lies in the folder. `version` is what orders it and what the history knows it by."""

    version: str
    name: str
    file: str
    content: bytes


@dataclass(frozen=True)
class Pending:
    """What is told about a migration that would run."""

    file: str
    version: str
    name: str
    statements: int
    atomic: bool
    """Whether a failure leaves nothing of it behind."""

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)


@dataclass(frozen=True)
class Table:
    """A table that was expected. `rows` is exact when this run created it, else None: it was not counted."""

    name: str
    created: bool
    rows: int | None

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)
