# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore over a database in one transaction, which is committed only when checksum and rows are right."""

from __future__ import annotations

import json
import queue
import typing as t
from contextlib import closing
from dataclasses import dataclass, replace

from .._backup.rights import RIGHTS, DatabaseRights, ExpectedRights, parse_rights
from .._backup.tables import TABLES
from .._child_process import Child
from .._errors import DeployError, UnreachableError
from .._postgres import LIFT_TIMEOUTS, Session, SqlError
from . import databases, programs
from .contents import DumpEntries, among, find_drops, foreign_schemas
from .models import RestoreOutcome, RestoreRequest, RightsCheck, ServerDatabase, unmarked
from .plan import refuse_other_rows
from .programs import Feed, refuse_failure
from .selection import DumpSelection, expected_rights, find_ground, select_in_place
from .swap import check_rights, gather_statistics, settling

_PIPE = 1 << 16
_ANSWERED, _COMMITTED = "deploy-answered", "deploy-committed"

# Dropping cascades. It may reach into schemas that the backup does not have, and those it could not bring back.
_BEGIN = """\\o /dev/null
{lift_timeouts}
BEGIN;
SET LOCAL lock_timeout = '10s';
SET LOCAL client_min_messages = warning;
SELECT pg_catalog.set_config('deploy.others', pg_catalog.count(*)::text, true) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {schemas};
{drops}
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
SET LOCAL search_path = pg_catalog;
SET LOCAL row_security = off;
\\o
SELECT pg_catalog.format(
  'SELECT pg_catalog.json_build_object(%L, pg_catalog.count(*)) FROM ONLY %s %s', n.name, n.identifier, n.condition)
FROM ({tables}) AS n (oid, name, identifier, condition, readable, filtered, nspname)
WHERE readable AND NOT ({schemas}) \\gexec
\\echo {answered}
"""


@dataclass(frozen=True)
class Overwrite:
    """The survey before the transaction, and the SQL that follows from it."""

    dropped: tuple[str, ...]
    """Objects that the backup does not know."""
    begin: str
    count: str
    commit: str
    selection: DumpSelection
    expected: t.Mapping[str, int]
    """The rows of the tables that are restored."""
    rights: ExpectedRights | None

    def outcome(self) -> RestoreOutcome:
        """As far as it can be predicted: without counted rows and compared rights."""
        left_out = self.selection.left_out
        return RestoreOutcome(dropped=self.dropped, expected=self.expected, left_out=left_out)


def survey(order: RestoreRequest, contents: DumpEntries, live: ServerDatabase) -> Overwrite:
    """Compare the backup with the database. Reads only."""
    with databases.administering(order.target) as session:
        session.execute("SET search_path = ''")
        ground, first = find_ground(session, order, contents)
        others = ground.others if ground else ()
        selection = select_in_place(contents.lines, ground) if ground else DumpSelection()
        drops, lacking = find_drops(session, contents, others)
        foreign = foreign_schemas(session, contents, others)
        schemas = among(session, foreign)
        rights = expected_rights(session, order, foreign)
        marked = databases.composed(
            session,
            "COMMENT ON DATABASE %I IS %L",
            order.database,
            order.mark("in_place").comment(unmarked(live.comment)),
        )
    dropping = "\n".join(f"{drop};" for drop in (*first, *drops))
    return Overwrite(
        dropped=lacking,
        begin=_BEGIN.format(lift_timeouts=LIFT_TIMEOUTS, schemas=schemas, drops=dropping),
        count=_COUNT.format(tables=TABLES.strip(), schemas=schemas, answered=_ANSWERED),
        commit=f"{marked};\nCOMMIT;\n\\echo {_COMMITTED}\n",
        selection=selection,
        expected=selection.expected(order.backup.manifest.rows),
        rights=rights,
    )


def restore_in_place(
    session: Session, order: RestoreRequest, overwrite: Overwrite
) -> RestoreOutcome:
    """Carry out what the survey planned, just before."""
    with settling(lambda: _standing(order)):
        # Those hold no lock of a table, and the restore of another database would break off.
        databases.end_sessions(session, order.database, spare=databases.CONTROL)
        counted, rights = _run(order, overwrite)
        with databases.administering(order.target) as inside:
            gather_statistics(inside, order)
    return replace(overwrite.outcome(), counted=counted, rights=rights)


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


def _run(order: RestoreRequest, overwrite: Overwrite) -> tuple[dict[str, int], RightsCheck]:
    feed = Feed(order)
    with programs.restoring(order, None, feed.send, overwrite.selection) as pg_restore:
        script = _Script(order, overwrite, pg_restore, feed)
        with closing(script), programs.executing(order, script.send) as psql:
            counted: dict[str, int] = {}
            for line in _read_answer(psql, script):
                counted |= json.loads(line)
            order.report("comparing the rows")
            refuse_other_rows(overwrite.expected, counted, order.database)

            def read() -> DatabaseRights:
                script.say(f"{RIGHTS};\n\\echo {_ANSWERED}\n")
                return parse_rights(_read_answer(psql, script))

            order.report("comparing the rights")
            rights = check_rights(
                overwrite.rights,
                read=read,
                execute=lambda statements: script.say(";\n".join((*statements, ""))),
            )
            order.check_lock()
            script.say(overwrite.commit)
            script.close()
            output = psql.stdout.read().decode("utf-8", "replace")
            rc = psql.wait()
            if _COMMITTED not in output:
                refuse_failure(psql, rc, "psql", order)
                raise UnreachableError("psql ended, and it is unknown whether it committed.")
    return counted, rights


@dataclass
class _Script:
    """Feeds psql piece by piece: the dump, and then what the block says. Without its COMMIT nothing stays."""

    order: RestoreRequest
    overwrite: Overwrite
    pg_restore: Child
    feed: Feed

    def __post_init__(self) -> None:
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def say(self, sql: str) -> None:
        """Have psql execute this, after what was said before."""
        self._said.put(sql)

    def close(self) -> None:
        """Nothing more is said; what is not committed by then is rolled back."""
        self._said.put("")

    def send(self, psql: Child) -> None:
        if not psql.give(self.overwrite.begin.encode()):
            return
        while script := self.pg_restore.stdout.read1(_PIPE):  # type: ignore[attr-defined]
            if not psql.give(script):
                return
        refuse_failure(self.pg_restore, self.pg_restore.wait(), "pg_restore", self.order)
        self.feed.refuse_other_bytes("Nothing of it is kept.")
        more = self.overwrite.count
        while more and psql.give(more.encode()):
            more = self._said.get()


def _read_answer(psql: Child, script: _Script) -> list[str]:
    """The lines of an answer. Raises DeployError when psql ended before it had answered."""
    lines: list[str] = []
    for line in psql.stdout:
        text = line.decode("utf-8", "replace").strip()
        if text == _ANSWERED:
            return lines
        if text:
            lines.append(text)
    script.close()
    refuse_failure(psql, psql.wait(), "psql", script.order)
    raise UnreachableError("psql ended before all was compared.")
