"""Whatever kinds of tables and names a database has: what was proven to be backed up comes back by every method."""

import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from tests.integration.restoring import Restorable, restorable
from tests.integration.running import stand_in
from tests.tables import cases

METHODS = ("scratch", "swap", "in_place")

# An extension of plain SQL that, as PostGIS and pg_cron do, keeps rows of the user's in tables of its own.
CONTROL = "default_version = '1.0'\nrelocatable = false\nschema = public\n"
SCRIPT = """
CREATE TABLE settings (name text PRIMARY KEY, value text, ours boolean DEFAULT false);
INSERT INTO settings VALUES ('built in', '1', true);
SELECT pg_catalog.pg_extension_config_dump('settings', 'WHERE NOT ours');
CREATE TABLE jobs (id serial PRIMARY KEY, command text);
SELECT pg_catalog.pg_extension_config_dump('jobs', '');
SELECT pg_catalog.pg_extension_config_dump('jobs_id_seq', '');
CREATE TABLE cache (id int);
"""

SHAPES = r"""
CREATE EXTENSION keeps_rows;
INSERT INTO settings VALUES ('theirs', '2'), ('also theirs', '3');
INSERT INTO jobs (command) VALUES ('a'), ('b'), ('c');
INSERT INTO cache VALUES (1);

CREATE TABLE "a.b" AS SELECT generate_series(1, 2) AS id;
CREATE TABLE "We""ird" AS SELECT generate_series(1, 3) AS id;
CREATE TABLE "two
lines" AS SELECT generate_series(1, 4) AS id;
CREATE TABLE "Größe 尺寸 🙂" AS SELECT generate_series(1, 5) AS id;
CREATE TABLE "percent %s %% {brace} \gexec ; -- $$ ' :x" AS SELECT generate_series(1, 6) AS id;
CREATE SCHEMA "S.c h"; CREATE TABLE "S.c h"."T able" AS SELECT generate_series(1, 7) AS id;
CREATE SCHEMA "S"; CREATE TABLE "S"."c h.T able" AS SELECT generate_series(1, 8) AS id;
CREATE SCHEMA "DATA"; CREATE TABLE "DATA"."DATA" AS SELECT 1 AS id;
CREATE TYPE "a type" AS ENUM ('x'); CREATE TYPE "a" AS ENUM ('y');

CREATE TABLE events (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') PARTITION BY LIST (id);
CREATE TABLE events_2a PARTITION OF events_2 FOR VALUES IN (1, 2);
INSERT INTO events VALUES (1, '2025-01-05'), (1, '2025-02-05'), (2, '2025-02-06');
CREATE TABLE nested (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE nested_rest PARTITION OF nested DEFAULT PARTITION BY LIST (id);
CREATE TABLE parent (id int); CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 9) AS id;
CREATE MATERIALIZED VIEW filled AS SELECT count(*) FROM parent;
CREATE MATERIALIZED VIEW unpopulated AS SELECT count(*) FROM parent WITH NO DATA;
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE elsewhere (id int) SERVER nowhere;
CREATE EXTENSION postgres_fdw;
CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER away; CREATE TABLE partly (id int) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE partly_away PARTITION OF partly FOR VALUES FROM (0) TO (10) SERVER away;
CREATE TABLE empty (id int); CREATE VIEW seen AS SELECT * FROM parent;
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE guarded AS SELECT generate_series(1, 6) AS id; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
"""
# Of each kind what a restore could give too much of or too little: under default privileges that came later, revoked,
# by column, by a grantor of another name, of another owner.
RIGHTS = """
CREATE FUNCTION older() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE older_type AS ENUM ('x');
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon;
CREATE TABLE secrets (k text); REVOKE ALL ON secrets FROM anon, authenticated, service_role;
CREATE VIEW shown AS SELECT k FROM secrets; REVOKE ALL ON shown FROM anon;
CREATE MATERIALIZED VIEW kept AS SELECT k FROM secrets; REVOKE SELECT ON kept FROM anon;
CREATE SEQUENCE counter; REVOKE USAGE ON counter FROM anon;
CREATE TABLE half (id int, name text); REVOKE INSERT, UPDATE, DELETE ON half FROM anon;
GRANT UPDATE (name) ON half TO anon;
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, other serial);
REVOKE ALL ON SEQUENCE numbered_id_seq FROM anon;
CREATE FUNCTION for_all() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION for_all() TO PUBLIC;
CREATE PROCEDURE acts() LANGUAGE sql AS ''; REVOKE ALL ON PROCEDURE acts() FROM anon;
CREATE AGGREGATE summed (int) (sfunc = int4pl, stype = int); REVOKE ALL ON FUNCTION summed (int) FROM anon;
CREATE DOMAIN percent AS int CHECK (value < 101); GRANT USAGE ON DOMAIN percent TO service_role WITH GRANT OPTION;
CREATE SCHEMA "In side"; GRANT USAGE ON SCHEMA "In side" TO anon;
ALTER DEFAULT PRIVILEGES IN SCHEMA "In side" GRANT SELECT ON TABLES TO authenticated;
CREATE TABLE "In side"."T %s :x" (id int); REVOKE ALL ON "In side"."T %s :x" FROM service_role;
CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO authenticator; ALTER SEQUENCE counter OWNER TO authenticator;
CREATE TABLE chain (id int); GRANT SELECT ON chain TO authenticator WITH GRANT OPTION;
SET ROLE authenticator; GRANT SELECT ON chain TO service_role; RESET ROLE;
ALTER TABLE half FORCE ROW LEVEL SECURITY; CREATE POLICY "some" ON half FOR SELECT TO anon USING (id > 1);
CREATE POLICY "one way" ON half TO anon, service_role USING (true);
CREATE POLICY "other way" ON half TO service_role, anon USING (true);
SELECT lo_from_bytea(4711, 'x'); GRANT SELECT ON LARGE OBJECT 4711 TO anon;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""
# What a release did to rights after the backup, and what it made.
LATER = """
GRANT ALL ON secrets, shown, owned TO anon; REVOKE ALL ON half FROM anon; GRANT EXECUTE ON FUNCTION older() TO anon;
ALTER TABLE chain OWNER TO authenticator; ALTER TABLE half NO FORCE ROW LEVEL SECURITY; DROP POLICY "some" ON half;
ALTER DEFAULT PRIVILEGES IN SCHEMA "In side" REVOKE SELECT ON TABLES FROM authenticated;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO anon;
ALTER DEFAULT PRIVILEGES FOR ROLE authenticator GRANT ALL ON TABLES TO PUBLIC;
GRANT CREATE ON SCHEMA public, "In side" TO anon; REVOKE SELECT ON LARGE OBJECT 4711 FROM anon;
"""
ROWS = {
    "public.settings": 2,
    "public.jobs": 3,
    'public."a.b"': 2,
    'public."We""ird"': 3,
    "public.two\nlines": 4,
    "public.Größe 尺寸 🙂": 5,
    "public.percent %s %% {brace} \\gexec ; -- $$ ' :x": 6,
    '"S.c h".T able': 7,
    'S."c h.T able"': 8,
    "DATA.DATA": 1,
    "public.events_1": 1,
    "public.events_2a": 2,
    "public.parent": 1,
    "public.child": 2,
    "public.unlogged": 9,
    "public.no_columns": 1,
    "public.empty": 0,
    "public.guarded": 6,
    **dict.fromkeys(
        ("public.secrets", "public.half", "public.numbered", "public.owned", "public.chain"), 0
    ),
    "In side.T %s :x": 0,
}


@pytest.fixture
def extensions(world) -> t.Iterator[None]:
    """The server finds `keeps_rows` in a folder of ours."""
    folder = Path(tempfile.mkdtemp(prefix="extensions-"))
    (folder / "extension").mkdir()
    for path in (folder, folder / "extension"):
        path.chmod(0o755)
    (folder / "extension" / "keeps_rows.control").write_text(CONTROL)
    (folder / "extension" / "keeps_rows--1.0.sql").write_text(SCRIPT)
    server = Restorable(world, "template1", {})
    server.psql(f"ALTER ROLE supabase_admin SET extension_control_path = '{folder}:$system'")
    yield
    server.psql("ALTER ROLE supabase_admin RESET extension_control_path")
    shutil.rmtree(folder)


def schema(made: Restorable, database: str) -> list[str]:
    """What pg_dump says of it, without the key that it draws anew each time."""
    program = made.program("pg_dump")
    argv = [program, "--schema-only", f"--dbname={database}"]
    dumped = subprocess.run(argv, env=made.environment(), capture_output=True, check=True)
    lines = dumped.stdout.decode().splitlines()
    return [line for line in lines if "restrict " not in line]


@pytest.mark.usefixtures("extensions")
def test_every_shape_comes_back_by_every_method(world):
    with restorable(world) as made:
        made.psql(f"DROP TABLE orders CASCADE; DROP SCHEMA shop CASCADE; {SHAPES}; {RIGHTS}")
        key = made.backup(release="2.0.1")["key"]
        for method in METHODS:
            database = f"{made.database}_look" if method == "scratch" else made.database
            before = schema(made, made.database)
            if method == "in_place":
                made.psql(LATER)
            done = made.restore(method=method, key=key, login_db=database, request=method)
            assert done.get("changed"), done
            assert {one["table"]: (one["backup"], one["after"]) for one in done["rows"]} == {
                table: (rows, rows) for table, rows in ROWS.items()
            }
            assert schema(made, database) == before
            assert done["rights_compared"] > 50


# Names as long as they may be: what pg_restore --list prints is soon more than a pipe holds, and so is the dump.
MANY = """
CREATE SCHEMA {schema};
DO $$ BEGIN FOR n IN 1..300 LOOP
  EXECUTE format('CREATE TABLE {schema}.%I (id int)', rpad('t' || n, 63, '_'));
END LOOP; END $$;
CREATE TABLE noise AS SELECT string_agg(md5(random()::text || n), '') FROM generate_series(1, 50000) n;
""".format(schema="s" * 63)


def test_a_listing_longer_than_a_pipe_holds_up_neither_backup_nor_restore(world):
    with restorable(world, timeout=60) as made:
        made.psql(MANY)
        backup = made.backup(release="2.0.1", compression="none", timeout=60)
        assert len(backup["rows"]) == 303
        assert backup["size"] > 1_000_000
        for check in (True, False):
            done = made.restore(method="in_place", key=backup["key"], check=check)
            assert done.get("changed"), done


@cases(
    ("script", "words"),
    {
        "never-reads": ("sleep 60", "pg_restore --list of s3://"),
        "fails": ("echo 'error: no room' >&2; exit 1", "exit code 1: error: no room"),
    },
)
def test_a_listing_that_fails_is_laid_to_nobody_else(world, tmp_path, script, words):
    with restorable(world) as made:
        made.psql(MANY)
        key = made.backup(release="2.0.1", compression="none")["key"]
        real = made.program("pg_restore")
        lists = f'[ "$1" = --list ] || exec {real} "$@"\n{script}'
        program = stand_in(tmp_path, "pg_restore", lists)
        told = [
            made.restore(method="in_place", key=key, pg_restore=program, timeout=2),
            made.try_backup(release="2.0.2", compression="none", pg_restore=program, timeout=2),
        ]
        for result in told:
            assert result["failed"]
            assert words in result["msg"]
            assert "is damaged: its checksum" not in result["msg"]
