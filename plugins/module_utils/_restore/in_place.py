# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Restore over a database in one transaction, which is committed only when checksum and rows are right."""

from __future__ import annotations

import json
import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._restore import databases, programs
from ansible_collections.easymo.deploy.plugins.module_utils._restore.contents import (
    Extra,
    dropping,
    find_objects,
    foreign_schemas,
    read_contents,
)
from ansible_collections.easymo.deploy.plugins.module_utils._restore.models import (
    Database,
    Done,
    Order,
    unmarked,
)
from ansible_collections.easymo.deploy.plugins.module_utils._restore.plan import refuse_other_rows
from ansible_collections.easymo.deploy.plugins.module_utils._restore.standing import settling
from ansible_collections.easymo.deploy.plugins.module_utils._restore.stream import (
    Feed,
    Report,
    end_input,
    refuse_failure,
)

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._child_process import Child
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session
    from ansible_collections.easymo.deploy.plugins.module_utils._s3 import Bucket

_PIPE = 1 << 16
_COUNTED, _COMMITTED = "easymo-counted", "easymo-committed"
_LOCK_TIMEOUT = "10s"

# Dropping cascades. It may reach into schemas that the backup does not have, and those it could not bring back.
_OTHERS = """
SELECT pg_catalog.set_config('easymo.others', pg_catalog.count(*)::text, true) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {schemas};
"""
_REFUSE_REACH = """
DO $easymo$ BEGIN
  IF pg_catalog.current_setting('easymo.others') <> (
    SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {schemas}) THEN
    RAISE 'objects of schemas that the backup does not have depend on what is to be restored';
  END IF;
END $easymo$;
"""
# Each line that \\gexec makes is a query of its own, so the rows are counted inside the transaction.
_COUNT = """
SELECT pg_catalog.format(
  'SELECT pg_catalog.json_build_object(%L, pg_catalog.count(*)) FROM ONLY %s', found.name, found.quoted)
FROM ({tables}) AS found (name, quoted) \\gexec
"""


@dataclass(frozen=True)
class Surroundings:
    """What is found before the transaction, and the SQL that follows from it."""

    extras: tuple[Extra, ...]
    begin: str
    count: str
    commit: str


def survey(order: Order, bucket: Bucket, live: Database) -> Surroundings:
    """Compare what the backup knows with what is there. Reads only."""
    contents = read_contents(order, bucket)
    with databases.administering(order.target) as session:
        session.execute("SET search_path = ''")
        objects = find_objects(session, contents)
        schemas = foreign_schemas(session, contents)
        marked = databases.composed(
            session,
            "COMMENT ON DATABASE %I IS %L",
            order.database,
            order.mark("in_place").comment(unmarked(live.comment)),
        )
    begin = "\n".join(
        [
            "\\o /dev/null",
            "BEGIN;",
            f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}';",
            "SET LOCAL client_min_messages = warning;",
            _OTHERS.format(schemas=schemas),
            *dropping(objects),
            _REFUSE_REACH.format(schemas=schemas),
            "",
        ]
    )
    count = "\n".join(
        [
            "",
            "RESET search_path;",
            "SET LOCAL row_security = off;",
            "\\o",
            _COUNT.format(tables=databases.COUNTED_TABLES.strip()),
            f"\\echo {_COUNTED}",
            "",
        ]
    )
    commit = f"{marked};\nCOMMIT;\n\\echo {_COMMITTED}\n"
    extras = tuple(one for one in objects if one.extra)
    return Surroundings(extras, begin, count, commit)


def restore_in_place(
    session: Session, order: Order, live: Database, bucket: Bucket, report: Report
) -> Done:
    found = survey(order, bucket, live)
    standing = f"Nothing was committed: database {order.database!r} serves as it was before."
    with settling(lambda: standing):
        if order.terminate_sessions:
            # Those hold no lock of a table, and the restore of another database would break off.
            databases.end_sessions(session, order.database, spare=databases.CONTROL)
        counted = _run(order, bucket, found, report)
    with databases.administering(order.target) as inside:
        inside.execute("ANALYZE")
    return Done(counted=counted, dropped=tuple(one.told for one in found.extras))


def _run(order: Order, bucket: Bucket, found: Surroundings, report: Report) -> dict[str, int]:
    feed = Feed(bucket, order.backup, report)
    with programs.executing(order) as psql, programs.scripting(order) as pg_restore:
        _tell(psql, found.begin.encode(), order)
        feeding = _Feeding(feed, pg_restore)
        while script := pg_restore.stdout.read1(_PIPE):  # type: ignore[attr-defined]
            _tell(psql, script, order)
        feeding.join()
        refuse_failure(pg_restore, pg_restore.wait(), "pg_restore", order)
        feed.refuse_other_bytes("Nothing of it is kept.")
        report("comparing the rows")
        _tell(psql, found.count.encode(), order)
        counted = _read_counts(psql, order)
        refuse_other_rows(order.backup.manifest.rows, counted, order.database)
        _tell(psql, found.commit.encode(), order)
        end_input(psql)
        said = psql.stdout.read().decode("utf-8", "replace")
        rc = psql.wait()
        if _COMMITTED not in said:
            refuse_failure(psql, rc, "psql", order)
            raise UnreachableError("psql ended without a word on whether the COMMIT was made.")
    return counted


class _Feeding:
    """A thread that feeds pg_restore while we read what it makes of it."""

    def __init__(self, feed: Feed, running: Child) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._send, args=(feed, running), daemon=True)
        self._thread.start()

    def _send(self, feed: Feed, running: Child) -> None:
        try:
            feed.send(running)
        except (DeployError, OSError, ValueError) as exc:
            self._error = exc
            # Without the rest of the dump pg_restore could only wait.
            running.kill()

    def join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error


def _tell(psql: Child, script: bytes, order: Order) -> None:
    try:
        psql.stdin.write(script)
        psql.stdin.flush()
    except BrokenPipeError:
        refuse_failure(psql, psql.wait(), "psql", order)
        raise


def _read_counts(psql: Child, order: Order) -> dict[str, int]:
    counted: dict[str, int] = {}
    for line in psql.stdout:
        text = line.decode("utf-8", "replace").strip()
        if text == _COUNTED:
            return counted
        if text:
            counted.update(json.loads(text))
    refuse_failure(psql, psql.wait(), "psql", order)
    raise UnreachableError("psql ended before the rows were compared.")
