"""What the guard calls additive is held against what PostgreSQL itself does with it."""

import typing as t

import psycopg2
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    read_catalog,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import migrating
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from tests.integration.running import opened, query, scratch_database

_DEFAULTS = {"ssl_mode": "verify-full", "connect_timeout": 10}
_OBJECTS = """
CREATE DOMAIN plain AS int; CREATE DOMAIN checked AS int CHECK (value > 0); CREATE DOMAIN filled AS int NOT NULL;
CREATE DOMAIN over AS checked; CREATE DOMAIN over_plain AS plain DEFAULT 5;
CREATE DOMAIN drawn AS uuid DEFAULT gen_random_uuid();
CREATE TYPE pair AS (a checked, b int);
CREATE FUNCTION sure() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION steady(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION says_sure() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT gen_random_uuid()';
CREATE FUNCTION moody() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE TABLE rows_of (id int, name text); INSERT INTO rows_of SELECT g, 'x' FROM generate_series(1, 500) g;
CREATE TABLE locked (id int); ALTER TABLE locked ENABLE ROW LEVEL SECURITY; ALTER TABLE locked FORCE ROW LEVEL SECURITY;
CREATE FUNCTION total(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION listed(a int, b int DEFAULT 2) RETURNS TABLE (id int, name text) LANGUAGE sql AS $$ SELECT 1, 'x' $$;
CREATE VIEW names AS SELECT id, name FROM rows_of;
CREATE TABLE keyed (id int CHECK (id IS NOT NULL), k int, n int); CREATE UNIQUE INDEX ids ON keyed (id);
CREATE UNIQUE INDEX ks ON keyed (k); INSERT INTO keyed SELECT g, g, g FROM generate_series(1, 500) g;
ALTER TABLE keyed ADD CONSTRAINT given NOT NULL n NOT VALID;
CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE keyed_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT g FROM generate_series(1, 500) g;
"""


class Server:
    def __init__(self, database: dict[str, t.Any]) -> None:
        self.database = database
        with migrating(PostgresTarget.from_params({**_DEFAULTS, **database})) as session:
            self.catalog = read_catalog(session)

    def rules(self, sql: str) -> set[str]:
        found = review([Source("m.sql", split_script(sql).statements)], self.catalog).findings
        return {finding.rule for finding in found}

    def asked(self, sql: str, question: str) -> tuple[t.Any, t.Any]:
        """The answer before and after `sql`, which is rolled back; an error's class where one is."""
        with opened(self.database) as session, session.cursor() as cursor:
            cursor.execute("BEGIN")
            answers = []
            for statement in ("SELECT 1", sql):
                cursor.execute(statement)
                cursor.execute("SAVEPOINT here")
                try:
                    cursor.execute(question)
                    columns = [(each.name, each.type_code) for each in cursor.description or ()]
                    answers.append((columns, cursor.fetchall()))
                except psycopg2.Error as exc:
                    answers.append(exc.pgcode)
                    cursor.execute("ROLLBACK TO here")
            cursor.execute("ROLLBACK")
            return answers[0], answers[1]


@pytest.fixture(scope="module")
def server(world) -> t.Iterator[Server]:
    with scratch_database(world) as database:
        query(database, _OBJECTS)
        yield Server(database)


@pytest.mark.parametrize(
    "column",
    [
        "c plain",
        "c over_plain",
        "c plain NOT NULL DEFAULT 1",
        "c checked[]",
        "c pair DEFAULT row(1, 2)::pair",
        "c int DEFAULT sure()",
        "c int DEFAULT steady(3) + sure()",
        "c uuid DEFAULT says_sure()",
        "c int DEFAULT CASE WHEN true THEN 1 ELSE 2 END",
        "c int DEFAULT coalesce(NULL, sure())",
        "c bool DEFAULT ('a' IN ('a', 'b') AND NULL IS NULL)",
        "c text DEFAULT lower('X' COLLATE pg_catalog.\"C\")",
        "c timestamptz DEFAULT now() + interval '1 day'",
        "c checked",
        "c over",
        "c checked DEFAULT 1",
        "c filled DEFAULT 1",
        "c drawn",
        "c information_schema.cardinal_number",
        "c int DEFAULT moody()",
        "c int DEFAULT steady(moody())",
        "c float DEFAULT random()",
        "c int GENERATED ALWAYS AS (id * 2) STORED",
    ],
)
def test_a_new_column_is_called_a_rewrite_where_the_server_rewrites(server, column):
    sql = f"ALTER TABLE rows_of ADD COLUMN {column}"
    before, after = server.asked(sql, "SELECT pg_relation_filenode('rows_of')")
    assert server.rules(sql) == (set() if before == after else {"column-rewrite"})


@pytest.mark.parametrize(
    ("domain", "column"),
    [
        ("CREATE DOMAIN d AS int CHECK (value > 0)", "d"),
        ("CREATE DOMAIN d AS uuid DEFAULT gen_random_uuid()", "d"),
        ("CREATE DOMAIN d AS over", "d DEFAULT 1"),
        ("CREATE DOMAIN d AS plain DEFAULT 1", "d"),
        ("ALTER DOMAIN plain ADD CHECK (value > 0) NOT VALID", "plain"),
    ],
)
def test_so_is_one_of_a_domain_that_the_same_file_makes_or_changes(server, domain, column):
    sql = f"{domain}; ALTER TABLE rows_of ADD COLUMN c {column}"
    before, after = server.asked(sql, "SELECT pg_relation_filenode('rows_of')")
    assert server.rules(sql) == (set() if before == after else {"column-rewrite"})


@pytest.mark.parametrize(("replacement", "calls", "differs"), [
    ("FUNCTION total(a int) RETURNS int", "SELECT total(a => 1)", False),
    ("FUNCTION total(a int DEFAULT 1) RETURNS integer", "SELECT total(1)", False),
    ("FUNCTION total(a int, b text DEFAULT '') RETURNS int", "SELECT total(a => 1)", False),
    ("FUNCTION total(a int) RETURNS text", "SELECT total(1)", True),
    ("FUNCTION total(a int) RETURNS SETOF int", "SELECT 1 WHERE total(1) = 1", True),
    ("FUNCTION total(b int) RETURNS int", "SELECT total(a => 1)", True),
    ("FUNCTION total(int) RETURNS int", "SELECT total(a => 1)", True),
    ("FUNCTION total(a int, b text) RETURNS int", "SELECT total(1)", True),
    ("PROCEDURE total(a int)", "SELECT total(1)", True),
    ("FUNCTION listed(a int, b int DEFAULT 9) RETURNS TABLE (id int, name text)",
     "SELECT * FROM listed(1)", False),
    ("FUNCTION listed(a int, b int) RETURNS TABLE (id int, name text)", "SELECT * FROM listed(1)",
     True),
    ("FUNCTION listed(a int, b int DEFAULT 9) RETURNS TABLE (id int, title text)",
     "SELECT * FROM listed(1)", True),
])  # fmt: skip
def test_a_routine_in_anothers_place_is_additive_where_calls_get_the_same(
    server, replacement, calls, differs
):
    name, old = ("total", "int") if "total" in replacement else ("listed", "int, int")
    body = "SELECT 1" if name == "total" else "SELECT 1, 'x'"
    body = "SELECT '1'" if "RETURNS text" in replacement else body
    sql = f"DROP FUNCTION {name}({old}); CREATE {replacement} LANGUAGE sql AS $${body}$$"
    before, after = server.asked(sql, calls)
    if "SETOF" not in replacement:
        assert (before != after) is differs
    assert bool(server.rules(sql)) is differs


@pytest.mark.parametrize(
    "view",
    [
        "SELECT id, name FROM rows_of",
        "SELECT r.name, r.id, 1 AS more FROM rows_of r",
        "SELECT *, now() AS at FROM rows_of",
        "SELECT id, id::text AS name FROM rows_of",
        "SELECT id FROM rows_of",
        "SELECT id::text, name FROM rows_of",
        "SELECT * FROM locked",
        "SELECT id AS name, id FROM rows_of",
    ],
)
def test_a_view_in_anothers_place_is_additive_where_its_columns_are_read_the_same(server, view):
    sql = f"DROP VIEW names; CREATE VIEW names AS {view}"
    before, after = server.asked(sql, "SELECT id, name FROM names LIMIT 0")
    assert bool(server.rules(sql)) is (before != after)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE keyed ADD PRIMARY KEY USING INDEX ks",
        "ALTER TABLE keyed ADD PRIMARY KEY USING INDEX ids",
        "ALTER TABLE keyed ALTER id SET NOT NULL",
        "ALTER TABLE keyed ALTER k SET NOT NULL",
        "ALTER TABLE keyed ALTER n SET NOT NULL",
        "ALTER TABLE keyed ADD COLUMN more int REFERENCES keyed (k)",
        "ALTER TABLE keyed ADD COLUMN more int DEFAULT NULL REFERENCES keyed (k)",
        "CREATE TABLE p PARTITION OF parts FOR VALUES FROM (900) TO (901)",
        "CREATE TABLE p (id int); ALTER TABLE parts ATTACH PARTITION p FOR VALUES FROM (900) TO (901)",
    ],
)
def test_what_reads_all_rows_is_told(server, sql):
    read = "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid)) FROM pg_class c WHERE relname ~ '^keyed'"
    before, after = server.asked(f"SET LOCAL enable_indexscan = off; {sql}", read)
    assert bool(server.rules(sql)) is (before != after)


@pytest.mark.parametrize("table", ["locked", "rows_of"])
@pytest.mark.parametrize("switch", ["ENABLE", "DISABLE", "FORCE", "NO FORCE"])
def test_row_level_security_is_told_where_it_changes(server, table, switch):
    sql = f"ALTER TABLE {table} {switch} ROW LEVEL SECURITY"
    stands = (
        f"SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = '{table}'::regclass"
    )
    before, after = server.asked(sql, stands)
    assert server.rules(sql) == ({"row-security"} if before != after else set())


HAS = """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('good');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE "Users" (id int CONSTRAINT ids CHECK (id > 0), email varchar(10), phone text NOT NULL);
CREATE VIEW mine AS SELECT id FROM "Users";
CREATE FUNCTION f(int, app.mood[], "Users") RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tg BEFORE UPDATE ON "Users" FOR EACH ROW EXECUTE FUNCTION tg();
CREATE POLICY p ON "Users" USING (true);
CREATE RULE r AS ON INSERT TO "Users" DO NOTHING;
CREATE EXTENSION pgcrypto;
CREATE FUNCTION closed() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION closed() FROM PUBLIC;
"""

SEEN: dict[str, set[str]] = {
    'DROP TABLE "Users"': {"drop-table"},
    "DROP TABLE IF EXISTS users": set(),
    "DROP TABLE IF EXISTS app.nothing": set(),
    'ALTER TABLE "Users" ALTER email TYPE varchar(20)': set(),
    'ALTER TABLE "Users" ALTER email TYPE varchar(5)': {"column-type"},
    'ALTER TABLE "Users" ALTER phone SET NOT NULL': set(),
    'ALTER TABLE "Users" ALTER id SET NOT NULL': {"set-not-null"},
    'ALTER TABLE "Users" ADD COLUMN IF NOT EXISTS phone text NOT NULL': set(),
    'ALTER TABLE "Users" ADD COLUMN n positive': {"column-rewrite"},
    'ALTER TABLE "Users" DROP CONSTRAINT ids; ALTER TABLE "Users" ADD CONSTRAINT ids CHECK (id > 1) NOT VALID': set(),
    "DROP FUNCTION f; CREATE FUNCTION f(int, app.mood[], \"Users\") RETURNS int LANGUAGE sql AS 'SELECT 2'": set(),
    "DROP FUNCTION f; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 2'": {
        "drop-not-recreated"
    },
    "DROP FUNCTION IF EXISTS g(int)": set(),
    "REVOKE EXECUTE ON FUNCTION tg() FROM PUBLIC": {"revoke"},
    "REVOKE EXECUTE ON FUNCTION closed() FROM PUBLIC": set(),
    "DROP FUNCTION closed(); CREATE FUNCTION closed() RETURNS int LANGUAGE sql AS 'SELECT 2'": {
        "replacement-grants"
    },
    "DROP TYPE app.mood": {"drop-type"},
    'DROP POLICY p ON "Users"': {"drop-not-recreated"},
    'DROP POLICY IF EXISTS q ON "Users"': set(),
    'DROP TRIGGER IF EXISTS q ON "Users"': set(),
    'DROP RULE IF EXISTS q ON "Users"': set(),
    "DROP EXTENSION IF EXISTS citext": set(),
    "SELECT gen_random_uuid(), public.digest('x', 'sha1')": set(),
    "SELECT f(1, NULL, NULL)": {"function"},
    "INSERT INTO mine VALUES (1)": {"statement"},
    "CREATE SCHEMA IF NOT EXISTS app; DROP SCHEMA app": {"drop-schema"},
}


def test_the_database_is_asked_what_it_has(world):
    with scratch_database(world) as database:
        query(database, HAS)
        asked = Server(database)
    assert {sql: asked.rules(sql) for sql in SEEN} == SEEN
