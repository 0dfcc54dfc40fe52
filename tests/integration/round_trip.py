"""A schema made by chance through backup, reading back and every restore, each compared with what was backed up."""

import subprocess
import typing as t
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from psycopg2.extensions import connection

from ansible_collections.easymo.deploy.plugins.module_utils._backup.apply import take_backup
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import Backup
from ansible_collections.easymo.deploy.plugins.module_utils._restore.apply import (
    place_order,
    restore,
)
from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_restore
from tests.fakes.bucket import MemoryBucket
from tests.integration.random_schema import RandomSchema, quoted
from tests.integration.throwaway_server import ThrowawayServer

METHODS = ("scratch", "swap", "in_place")
SETTINGS = (
    "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off",
    "jit=off", "default_statistics_target=1", "io_method=sync", "max_locks_per_transaction=512",
)  # fmt: skip
"""Of a server for throw-away data. A restore in place locks many objects."""

_RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname), c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (c.relkind IN ('r', 'S') OR c.relkind = 'm' AND c.relispopulated) ORDER BY 1
"""
_ROWS = """
SELECT {number}, md5(COALESCE(string_agg("the row"::text, E'\n' ORDER BY "the row"::text COLLATE "C"), ''))
FROM ONLY {name} AS "the row"
"""
_LARGE_OBJECTS = "SELECT oid::text, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1"
_SUBSCRIPTIONS = """
SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()
"""
_AT_ONCE = 50
# What a later release may have done to the database before it is restored in place.
_SPOIL = (
    'CREATE TABLE public."new one" (id int PRIMARY KEY)',
    'CREATE VIEW public."new view" AS SELECT * FROM public."new one"',
    "CREATE TYPE public.\"new type\" AS ENUM ('x')",
    'CREATE FUNCTION public."new function"() RETURNS public."new type" LANGUAGE sql RETURN NULL::public."new type"',
)


class Traveller:
    """The server, and a bucket in memory: reading back and restoring are the collection's own."""

    def __init__(self, server: ThrowawayServer, programs: Path) -> None:
        self._server = server
        self._programs = programs
        self.bucket = MemoryBucket()

    def travel(self, schema: RandomSchema) -> None:
        """Raises AssertionError where something came back otherwise, and what the collection raises."""
        database = f"trip_{schema.seed}"
        look = f"{database}_look"
        self._make(schema, database)
        try:
            rows, objects = self._rows(database), self._objects(database)
            backup = self._back_up(database)
            for method in METHODS:
                name = look if method == "scratch" else database
                if method == "in_place":
                    with closing(self._connect(database)) as session, session.cursor() as cursor:
                        for statement in _SPOIL:
                            cursor.execute(statement)
                self._restore(backup, method, name)
                _assert_same(rows, self._rows(name), f"seed {schema.seed}, {method}: rows")
                _assert_same(objects, self._objects(name), f"seed {schema.seed}, {method}: schema")
        finally:
            self.bucket.objects.clear()
            self._drop(schema, database)

    def _make(self, schema: RandomSchema, database: str) -> None:
        for role in schema.roles:
            self._server.query(f"CREATE ROLE {quoted(role)}")
        self._server.query(f"CREATE DATABASE {database} TEMPLATE template0")
        with closing(self._connect(database)) as session, session.cursor() as cursor:
            for statement in schema.sql:
                try:
                    cursor.execute(statement)
                except psycopg2.Error as exc:
                    raise AssertionError(
                        f"seed {schema.seed} is no schema: {exc} in {statement}"
                    ) from exc

    def _drop(self, schema: RandomSchema, database: str) -> None:
        named = f"SELECT datname FROM pg_database WHERE datname LIKE '{database}%'"
        for (name,) in self._server.query(named):
            with closing(self._connect(name)) as session, session.cursor() as cursor:
                cursor.execute(_SUBSCRIPTIONS)
                for (subscription,) in cursor.fetchall():
                    cursor.execute(f"DROP SUBSCRIPTION {quoted(subscription)}")
            self._server.query(f"DROP DATABASE {quoted(name)} WITH (FORCE)")
        for role in schema.roles:
            self._server.query(f"DROP ROLE {quoted(role)}")

    def _back_up(self, database: str) -> Backup:
        params = self._params(pg_backup, database, name=database, release="1", compression="none")
        request = pg_backup.request_of(
            params, datetime.now(UTC), self.bucket, lambda _text, _data: None
        )
        return take_backup(request, lambda: self.bucket)

    def _restore(self, backup: Backup, method: str, database: str) -> None:
        params = self._params(
            pg_restore,
            database,
            method=method,
            key=backup.manifest.key,
            approved_by="Jane Doe",
            reason="A test",
            request=method,
            maintenance_db="template1",
        )
        order = place_order(params, self.bucket, backup, lambda _text: None)
        done = restore(order, count_before=False, predicted=False)
        assert done["changed"]

    def _params(self, module: t.Any, database: str, **given: t.Any) -> dict[str, t.Any]:
        """With the defaults of the module's own options."""
        spec = module.module_spec()["argument_spec"]
        programs = {name: str(self._programs / name) for name in ("pg_dump", "pg_restore", "psql")}
        given = {
            **self._server.options,
            "login_db": database,
            "bucket": "memory",
            **programs,
            **given,
        }
        checked = ArgumentSpecValidator(spec).validate(
            {k: v for k, v in given.items() if k in spec}
        )
        assert not checked.error_messages, checked.error_messages
        return {name: checked.validated_parameters.get(name) for name in spec}

    def _connect(self, database: str) -> connection:
        session = psycopg2.connect(
            host="127.0.0.1", port=self._server.port, user="postgres", dbname=database
        )
        session.autocommit = True
        return session

    def _rows(self, database: str) -> list[str]:
        """A line for each table, filled view, sequence and large object with what is in it."""
        found = []
        with closing(self._connect(database)) as session, session.cursor() as cursor:
            cursor.execute(_RELATIONS)
            relations = cursor.fetchall()
            tables = [name for name, kind in relations if kind != "S"]
            for first in range(0, len(tables), _AT_ONCE):
                some = tables[first : first + _AT_ONCE]
                cursor.execute(
                    " UNION ALL ".join(
                        _ROWS.format(number=n, name=name) for n, name in enumerate(some)
                    )
                )
                found += [f"{some[number]}: {rows}" for number, rows in cursor.fetchall()]
            for name, kind in relations:
                if kind == "S":
                    cursor.execute(f"SELECT last_value, is_called FROM {name}")
                    found.append(f"{name}: {cursor.fetchone()}")
            cursor.execute(_LARGE_OBJECTS)
            return sorted([*found, *(f"large object {one}" for one in cursor.fetchall())])

    def _objects(self, database: str) -> list[str]:
        """What pg_dump says of it, without the key that it draws anew each time."""
        argv = [str(self._programs / "pg_dump"), "--schema-only", f"--dbname={database}"]
        where = ["--host=127.0.0.1", f"--port={self._server.port}", "--username=postgres"]
        dumped = subprocess.run([*argv, *where], capture_output=True, check=True, env={"HOME": "/"})
        lines = dumped.stdout.decode().splitlines()
        return [line for line in lines if not line.startswith(("\\restrict ", "\\unrestrict "))]


def _assert_same(before: list[str], after: list[str], what: str) -> None:
    if before == after:
        return
    lost = [line for line in before if line not in after][:10]
    new = [line for line in after if line not in before][:10]
    raise AssertionError(f"{what}: lost {lost}, new {new}, or the order changed")
