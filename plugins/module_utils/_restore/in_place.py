# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore over a database in one transaction, which is committed only when checksum and rows are right."""

from __future__ import annotations

import json
import queue
import typing as t
from contextlib import closing
from dataclasses import dataclass

from .._backup.tables import TABLES
from .._errors import DeployError, UnreachableError
from .._postgres import LIFT_TIMEOUTS, SqlError
from . import databases, programs
from .contents import (
    DatabaseObject,
    dropping,
    find_objects,
    foreign_schemas,
)
from .models import RestoreOutcome, RestoreRequest, ServerDatabase, unmarked
from .plan import refuse_other_rows
from .programs import Feed, Report, refuse_failure
from .selection import find_ground, select_in_place
from .swap import settling

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .._child_process import Child
    from .._postgres import Session
    from .._s3 import S3Bucket
    from .contents import DumpEntries
    from .selection import DumpSelection

_PIPE = 1 << 16
_COUNTED, _COMMITTED = "deploy-counted", "deploy-committed"
_LOCK_TIMEOUT = "10s"

# Dropping cascades. It may reach into schemas that the backup does not have, and those it could not bring back.
_OTHERS = """
SELECT pg_catalog.set_config('deploy.others', pg_catalog.count(*)::text, true) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {schemas};
"""
_REFUSE_REACH = """
DO $deploy$ BEGIN
  IF pg_catalog.current_setting('deploy.others') <> (
    SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {schemas}) THEN
    RAISE 'objects of schemas that the backup does not have depend on what is to be restored';
  END IF;
END $deploy$;
"""
# Each line that \\gexec makes is a query of its own, so the rows are counted inside the transaction.
_COUNT = """
SELECT pg_catalog.format(
  'SELECT pg_catalog.json_build_object(%L, pg_catalog.count(*)) FROM ONLY %s %s', n.name, n.identifier, n.condition)
FROM ({tables}) AS n (oid, name, identifier, condition, readable, filtered, nspname)
WHERE readable AND NOT ({schemas}) \\gexec
"""


@dataclass(frozen=True)
class Overwrite:
    """The survey before the transaction, and the SQL that follows from it."""

    extras: tuple[DatabaseObject, ...]
    begin: str
    count: str
    commit: str
    selection: DumpSelection | None
    """The restored entries of the backup; None for all."""

    def expected(self, order: RestoreRequest) -> Mapping[str, int]:
        rows = order.backup.manifest.rows
        return self.selection.expected(rows) if self.selection else rows

    def outcome(
        self, order: RestoreRequest, counted: Mapping[str, int] | None = None
    ) -> RestoreOutcome:
        """Of a restore, or without counted rows of a predicted one."""
        dropped = tuple(item.description for item in self.extras)
        left_out = self.selection.left_out if self.selection else ()
        return RestoreOutcome("", counted, dropped, self.expected(order), left_out)


def survey(order: RestoreRequest, contents: DumpEntries, live: ServerDatabase) -> Overwrite:
    """Compare the backup with the database. Reads only."""
    with databases.administering(order.target) as session:
        session.execute("SET search_path = ''")
        ground, first = find_ground(session, order, contents)
        others = ground.others if ground else ()
        selection = select_in_place(contents.lines, ground) if ground else None
        objects = find_objects(session, contents, others)
        schemas = foreign_schemas(session, contents, others)
        marked = databases.composed(
            session,
            "COMMENT ON DATABASE %I IS %L",
            order.database,
            order.mark("in_place").comment(unmarked(live.comment)),
        )
    begin = "\n".join(
        [
            "\\o /dev/null",
            LIFT_TIMEOUTS,
            "BEGIN;",
            f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}';",
            "SET LOCAL client_min_messages = warning;",
            _OTHERS.format(schemas=schemas),
            *(f"{drop};" for drop in first),
            *dropping(objects),
            _REFUSE_REACH.format(schemas=schemas),
            "",
        ]
    )
    count = "\n".join(
        [
            "",
            "SET LOCAL search_path = pg_catalog;",
            "SET LOCAL row_security = off;",
            "\\o",
            _COUNT.format(tables=TABLES.strip(), schemas=schemas),
            f"\\echo {_COUNTED}",
            "",
        ]
    )
    commit = f"{marked};\nCOMMIT;\n\\echo {_COMMITTED}\n"
    extras = tuple(item for item in objects if item.extra)
    return Overwrite(extras, begin, count, commit, selection)


def restore_in_place(
    session: Session, order: RestoreRequest, overwrite: Overwrite, bucket: S3Bucket, report: Report
) -> RestoreOutcome:
    """Carry out what the survey planned, just before."""
    with settling(lambda: _standing(order)):
        # Those hold no lock of a table, and the restore of another database would break off.
        databases.end_sessions(session, order.database, spare=databases.CONTROL)
        counted = _run(order, bucket, overwrite, report)
        with databases.administering(order.target) as inside:
            inside.execute("ANALYZE")
    return overwrite.outcome(order, counted)


def _standing(order: RestoreRequest) -> str:
    """Check over another session whether the COMMIT succeeded: its response may be lost."""
    try:
        with databases.administering(order.target) as session:
            # Or the COMMIT itself is still on its way.
            databases.end_sessions(session, order.database, only=databases.APPLICATION)
            live = databases.observe(session, order.database).get(order.database)
    except (DeployError, SqlError) as exc:
        return f"Whether it was committed is unknown ({exc}): run this again, which looks first."
    mark = live.mark if live else None
    if mark and (mark.kind, mark.request) == ("in_place", order.request):
        return f"But it was committed: the restored data serves in {order.database!r}. Run this again to check."
    return f"Nothing was committed: database {order.database!r} serves unchanged."


def _run(
    order: RestoreRequest, bucket: S3Bucket, overwrite: Overwrite, report: Report
) -> dict[str, int]:
    feed = Feed(bucket, order.backup, report)
    with programs.scripting(order, feed.send, overwrite.selection) as pg_restore:
        script = _Script(overwrite, pg_restore, lambda: _refuse_incomplete(pg_restore, feed, order))
        with closing(script), programs.executing(order, script.send) as psql:
            counted = _read_counts(psql)
            if counted is None:
                script.close()
                refuse_failure(psql, psql.wait(), "psql", order)
                raise UnreachableError("psql ended before the rows were compared.")
            report("comparing the rows")
            refuse_other_rows(overwrite.expected(order), counted, order.database)
            order.check_lock()
            script.agree()
            output = psql.stdout.read().decode("utf-8", "replace")
            rc = psql.wait()
            if _COMMITTED not in output:
                refuse_failure(psql, rc, "psql", order)
                raise UnreachableError("psql ended, and it is unknown whether it committed.")
    return counted


@dataclass
class _Script:
    """Feeds psql piece by piece. The COMMIT follows only when the block has agreed to it."""

    overwrite: Overwrite
    pg_restore: Child
    refuse: t.Callable[[], None]

    def __post_init__(self) -> None:
        self._agreed: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def agree(self) -> None:
        self._agreed.put(True)

    def close(self) -> None:
        """Release the thread that waits for an agreement."""
        self._agreed.put(False)

    def send(self, psql: Child) -> None:
        if not psql.give(self.overwrite.begin.encode()):
            return
        while script := self.pg_restore.stdout.read1(_PIPE):  # type: ignore[attr-defined]
            if not psql.give(script):
                return
        self.refuse()
        if psql.give(self.overwrite.count.encode()) and self._agreed.get():
            psql.give(self.overwrite.commit.encode())


def _refuse_incomplete(pg_restore: Child, feed: Feed, order: RestoreRequest) -> None:
    refuse_failure(pg_restore, pg_restore.wait(), "pg_restore", order)
    feed.refuse_other_bytes("Nothing of it is kept.")


def _read_counts(psql: Child) -> dict[str, int] | None:
    """The counted rows; None when psql ended before it had counted all."""
    counted: dict[str, int] = {}
    for line in psql.stdout:
        text = line.decode("utf-8", "replace").strip()
        if text == _COUNTED:
            return counted
        if text:
            counted.update(json.loads(text))
    return None
