# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files that ran before a statement changed of what the catalog says, beside which objects there are."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from .catalog import Domain

Place: t.TypeAlias = "tuple[str, str]"
"""Schema and name."""


@dataclass
class Facts:
    domains: dict[Place, Domain] = field(default_factory=dict)
    """Made or altered."""
    volatile_names: set[str] = field(default_factory=set)
    """Of functions that ALTER FUNCTION made so."""
    row_security: dict[tuple[Place, str], frozenset[bool | None]] = field(default_factory=dict)
    """By table and `enabled` or `forced`: all that it may be by now."""
    tables_with_policies: set[Place] = field(default_factory=set)
    policies_unclear: bool = False
    """Whether a policy was made on a table whose name only the run will know."""
    scanned_tables: set[Place] = field(default_factory=set)
    """Tables that got an index on an expression or a partial one."""
    rows_written: bool = False
    """Whether existing tables may have more rows than the catalog's sizes tell."""
    filled: set[Place] = field(default_factory=set)
    """New tables with rows of existing ones, so that reading them takes as long."""

    moved: set[Place] = field(default_factory=set)
    """Tables that have the name of another one, of which the catalog tells."""
    unclear: bool = False
    """Whether something may be there, or gone, that nobody noted."""
    dropped: bool = False
    """Whether something of before the run may be gone, or out of sight."""

    def forget_table(self, table: Place) -> None:
        """It has the name of another one, of which the catalog tells."""
        self.rows_written = True
        self.moved.add(table)
        for switch in ("enabled", "forced"):
            self.row_security[table, switch] = frozenset({None})
