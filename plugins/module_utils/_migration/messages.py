# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements of one transaction that go to the server in one message, for a trip takes longer than most of them.

The server does not say which statement of a message failed. Each is therefore preceded by an advisory lock of the
session with its number, which outlives the rollback.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from itertools import accumulate

from .._postgres import Session, SqlError
from .execution import resets_role
from .runner import StatementError
from .splitter import without_leading_comments

LONGEST = 65_536
"""Characters. A trigger that records `current_query()` has the whole message."""

_QUOTED = re.compile(
    r"""(?xs)
    ' [^'\\]*+ '
  | " [^"]*+ "
  | (?<![\w$]) \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? \$(?P=tag)\$
  | --[^\n\r]*+
  | /\* (?: [^*/] | \*(?!/) | /(?!\*) )*+ \*/
    """
)
_UNSURE = re.compile(r"""['"\\;$]|/\*""")
"""In what is left without those: here the statement may end elsewhere for the server than for the CLI."""
_FIRST = re.compile(r"(?is)SET\s.*(?:TRANSACTION|NAMES|ENCODING)|SELECT\b.*ADVISORY_UNLOCK_ALL")
"""Has to be a message's first, or takes the numbers away."""

# Any number of ours will do: "mgrt" in ASCII.
_KEY = int.from_bytes(b"mgrt", "big")
_NUMBER = f"pg_catalog.pg_advisory_lock_shared({_KEY}, %d)"
_NO_NUMBER = f"pg_catalog.pg_advisory_unlock_shared({_KEY}, %d)"
_REACHED = """
SELECT objid::int, pg_catalog.pg_advisory_unlock_shared(classid::int, objid::int) FROM pg_catalog.pg_locks
WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'advisory' AND objsubid = 2 AND classid::int = %s
"""
_APART = "\n;\n"


def joined(*parts: str) -> str:
    """One message of those that are not empty."""
    return _APART.join(filter(None, parts))


@dataclass(frozen=True)
class Message:
    """`starts` has by its index where each statement begins in `sql`, counted in characters from 0."""

    sql: str
    starts: t.Mapping[int, int]
    numbered: t.Collection[int]

    def send(self, session: Session) -> None:
        """An SqlError has ended the transaction; it is a StatementError where it is known which one was refused."""
        try:
            session.execute(self.sql)
        except SqlError as exc:
            session.execute("ROLLBACK")
            raise self._placed(exc, [row[0] for row in session.rows(_REACHED, (_KEY,))]) from exc

    def _placed(self, error: SqlError, begun: t.Sequence[int]) -> SqlError:
        position = error.position
        if position is not None:
            begun = [index for index, start in self.starts.items() if start < position][-1:]
            error.position = position - self.starts[begun[0]] if begun else None
        elif not self.numbered:
            begun = [*self.starts]
        elif begun and self._after(begun[0]) not in {None, *self.numbered}:
            begun = []
        return StatementError(begun[0], error) if begun else error

    def _after(self, index: int) -> int | None:
        return next((other for other in self.starts if other > index), None)


def messages(
    statements: t.Mapping[int, str], opening: str, *, each: bool = False
) -> t.Iterator[Message]:
    """Of statements by their indexes, in their order; `opening` goes before all of them.

    By itself is a statement that may end elsewhere for the server, and one after which something else has to be done.
    A number takes longer than an INSERT: unless `each` has one, INSERTs in a row have the number of the first.
    """
    together: dict[int, str] = {}
    size = 0
    for index, text in statements.items():
        own = without_leading_comments(text)
        # It belongs into the history and is nothing to a server.
        if not own:
            continue
        plain = _is_plain(own)
        if not plain or size + len(text) > LONGEST:
            yield from _made(together, opening, each)
            together, size, opening = {}, 0, ""
        if plain:
            together[index] = text
            size += len(text)
        else:
            yield Message(text, {index: 0}, ())
    yield from _made(together, opening, each)


def _is_plain(text: str) -> bool:
    bare = _QUOTED.sub(" ", text)
    if _UNSURE.search(bare) or bare.count("(") != bare.count(")"):
        return False
    return not (_FIRST.match(text) or resets_role(text))


def _made(statements: t.Mapping[int, str], opening: str, each: bool) -> t.Iterator[Message]:
    if not statements and not opening:
        return
    parts = [opening] if opening else []
    places: dict[int, int] = {}
    numbered: list[int] = []
    was_row = False
    for index, text in statements.items():
        row = text[:6].upper() == "INSERT"
        if each or not (row and was_row):
            calls = [_NUMBER % index, *(_NO_NUMBER % last for last in numbered[-1:])]
            parts.append(f"SELECT {', '.join(calls)}")
            numbered.append(index)
        was_row = row
        parts.append(text)
        places[index] = len(parts) - 1
    parts += [f"SELECT {_NO_NUMBER % last}" for last in numbered[-1:]]
    ends = [*accumulate(len(part) + len(_APART) for part in parts)]
    begins = {index: ends[place - 1] for index, place in places.items()}
    yield Message(joined(*parts), begins, numbered)
