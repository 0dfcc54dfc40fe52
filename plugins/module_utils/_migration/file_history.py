# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What the table offers that keeps which files of a folder were applied. A module may have this shape."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session
    from .supabase_drift import Drift
    from .supabase_folder import Migration
    from .supabase_plan import Applied


@dataclass(frozen=True)
class Mend:
    """What people do with the history by hand, as clauses. In the first `{}` are the versions."""

    reverted: str
    applied: str
    rewritten: str


class History(t.Protocol):
    ADVISORY_LOCK: int
    """Any number will do as long as it is ours and never changes."""
    MEND: Mend

    def read_history(self, session: Session) -> list[Applied]: ...

    def ensure_history(self, session: Session) -> None: ...

    def insert_row(self, session: Session, migration: Migration, seconds: float) -> None: ...

    def version_order(self, version: str) -> t.Any:
        """What sorts versions."""

    def is_recorded(self, row: Applied, migration: Migration) -> bool: ...

    def find_drift(
        self, history: Sequence[Applied], local: Sequence[Migration]
    ) -> dict[str, Drift]: ...
