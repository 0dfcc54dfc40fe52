# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Count the rows of each table in the very snapshot that pg_dump reads."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .. import _postgres
from .._errors import NotReadyError, RefusedError
from .._threads import begin
from . import locks
from .others import Others, find_others
from .tables import begin_reading, count_rows, list_tables

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._postgres import PostgresTarget, Session
    from .._threads import Begun
    from .tables import Table

_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class Snapshot:
    """What pg_dump and we read alike, for as long as the block of `exported_snapshot` lasts."""

    identifier: str
    tables: tuple[Table, ...]
    others: Others
    _session: _postgres.PostgresSession
    _target: PostgresTarget

    @contextmanager
    def counting(self) -> Iterator[Counting]:
        """Count beside the block; whatever is not counted at its end is not counted."""
        counts = begin(lambda: count_rows(self._session, self.tables))
        try:
            yield Counting(counts, self._target)
        finally:
            if not counts.done():
                self._session.cancel()
                # The session must not be used or closed while a thread waits for its answer.
                with suppress(Exception):
                    counts.result()


@dataclass(frozen=True)
class Counting:
    _counts: Begun[dict[str, int]]
    _target: PostgresTarget

    def result(self, *, within: float) -> dict[str, int]:
        """Rows by schema.table, waited for at most so many seconds."""
        try:
            return self._counts.result(within)
        except TimeoutError as exc:
            raise NotReadyError(
                f"The rows of {self._target.where} were not counted within {within:.0f} s after "
                "its dump; "
                "nothing was kept. Raise option 'timeout'."
            ) from exc
        except _postgres.SqlError as exc:
            raise RefusedError(
                f"The rows of {self._target.where} cannot be counted, nothing was kept: {exc}."
            ) from exc


@contextmanager
def exported_snapshot(target: PostgresTarget, *, lock_timeout: int) -> Iterator[Snapshot]:
    """A snapshot for pg_dump to read, and a session in it. `lock_timeout` in seconds."""
    with _postgres.connected(target, application_name="easymo.deploy pg_backup rows") as session:
        _postgres.lift_timeouts(session)
        begin_reading(session)
        session.execute("SELECT set_config('lock_timeout', %s, true)", [str(lock_timeout * 1000)])
        identifier = str(session.rows("SELECT pg_export_snapshot()")[0][0])
        tables, others = list_dumped(session)
        _lock(session, tables, target)
        yield Snapshot(identifier, tables, others, session, target)


def list_dumped(session: Session) -> tuple[tuple[Table, ...], Others]:
    """The tables whose rows are dumped, and what of other roles is not."""
    others = find_others(session)
    closed = frozenset(others.closed)
    return tuple(one for one in list_tables(session) if one.identifier not in closed), others


def _lock(session: Session, tables: Sequence[Table], target: PostgresTarget) -> None:
    """Held from before pg_dump begins: a TRUNCATE is seen even by older snapshots."""
    if not tables:
        return
    relations = ", ".join(f"ONLY {table.identifier}" for table in tables)
    try:
        session.execute(f"LOCK TABLE {relations} IN ACCESS SHARE MODE")
    except _postgres.SqlError as exc:
        why = (
            "another session locks one of its tables for longer than option 'lock_timeout'"
            if exc.sqlstate == _LOCK_NOT_AVAILABLE
            else str(exc)
        )
        raise RefusedError(
            f"The dump of {target.where} did not start: {why}.{locks.cure(why)}"
        ) from exc
