# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Go through statements that commit as they go, and know how far back one may go to try again."""

from __future__ import annotations

import re
import typing as t

from .._postgres import SqlError
from .execution import ends_transaction
from .splitter import without_leading_comments
from .supabase_failure import StatementError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session

_BUILDS_INDEX = re.compile(r"(?is)(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b")
_SKIPS_INDEX = re.compile(
    r'(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(?P<name>"(?:[^"]|"")+"|[^\s"]+)'
)
# These may commit inside, so that a failure need not have taken back all they did.
_COMMITS_INSIDE = re.compile(r"(?i)(?:CALL|DO)\b")
_INVALID = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
"""


class Walk:
    """Once through `order`, indexes into `texts`; `rewind` takes it back to where nothing is left of what failed."""

    def __init__(self, session: Session, texts: Sequence[str], order: Sequence[int]) -> None:
        self._session = session
        self._texts = texts
        self._order = order
        self._next = 0
        self._restart: int | None = 0
        """Where to begin again; None where something since then is committed."""
        self._invalid: frozenset[str] | None = None
        """The indexes that were invalid before a statement that may leave another; None before any other."""

    def statements(self) -> t.Iterator[int]:
        """From where the walk stands; a statement counts as done when the next is asked for."""
        while self._next < len(self._order):
            index = self._order[self._next]
            text = without_leading_comments(self._texts[index])
            if not self._session.in_transaction:
                self._prepare(index, text)
            yield index
            self._next += 1
            chained = self._session.in_transaction and ends_transaction(text)
            if chained:
                self._restart = None

    def rewind(self) -> bool:
        """Whether what failed has left nothing, so that `statements` may go on from where that began."""
        if self._session.in_transaction:
            self._session.execute("ROLLBACK")
        if self._restart is None or self.new_invalid_indexes():
            return False
        self._next = self._restart
        return True

    def new_invalid_indexes(self) -> tuple[str, ...]:
        """What a concurrent build left behind when it failed."""
        if self._invalid is None or self._session.in_transaction:
            return ()
        return tuple(sorted(_invalid_indexes(self._session) - self._invalid))

    def _prepare(self, index: int, text: str) -> None:
        self._restart = None if _COMMITS_INSIDE.match(text) else self._next
        self._invalid = _invalid_indexes(self._session) if _BUILDS_INDEX.match(text) else None
        skipped = would_skip(self._session, text)
        if skipped is not None:
            raise StatementError(index, skipped)


def would_skip(session: Session, statement: str) -> SqlError | None:
    """Why IF NOT EXISTS would leave an index invalid that an earlier run has not built to its end."""
    skips = _SKIPS_INDEX.match(without_leading_comments(statement))
    there = sorted(_invalid_indexes(session)) if skips else []
    named = [one for one in there if skips and _bare(one) == _bare(skips["name"])]
    return _is_invalid(named[0]) if named else None


def _invalid_indexes(session: Session) -> frozenset[str]:
    return frozenset(str(row[0]) for row in session.rows(_INVALID))


def _bare(name: str) -> str:
    """Without its schema and its quotes, as the server stores it."""
    last: str = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


def _is_invalid(name: str) -> SqlError:
    words = (
        f"index {name} is there and invalid, so IF NOT EXISTS would build none, and the file would count as "
        "applied: unless somebody is building it now, drop it first"
    )
    return SqlError(sqlstate="55000", message=words, position=None)
