"""Prisma and we take each other's work for their own: same rows, same objects, same refusals."""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.integration.running import opened, query
from tests.interop.prisma_workspace import Workspace, rows, without_logs
from tests.interop.projects import objects

DOCUMENTED = Path(__file__).parents[2] / "docs" / "your-stack.md"
FOLDER: dict[str, str | bytes] = {
    # Names of twelve and fourteen digits, sorted as text.
    "20250310083000_init": "-- CreateTable\nCREATE TABLE a (id serial PRIMARY KEY, t text);\n",
    "202503110900_short_name": "ALTER TABLE a ADD COLUMN short int;",
    "20250312000000_semicolons": (
        "INSERT INTO a (t) VALUES ('one; two'), (E'it\\'s; three'), ($$four; five$$);\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN\n  PERFORM 1; -- a; b\n  RETURN 2;\n"
        "END $body$;\n"
        "/* nested /* ; */ ; */ CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
    ),
    "20250313000000_windows": b"CREATE TABLE w (id int);\r\nCREATE TABLE w2 (id int);\r\n",
    "20250314000000_words": "COMMENT ON TABLE a IS 'Gr\u00fc\u00dfe \u4f60\u597d';",
    "20250315000000_empty": "",
    "20250316000000_comment": "-- This is an empty migration.\n",
    "20250317000000_own_transactions": "BEGIN; CREATE TABLE o (id int); COMMIT; CREATE TABLE o2 (id int);",
    "20250318000000_concurrent": "CREATE INDEX CONCURRENTLY i ON a (t);",
    "20250319000000_block": "DO $$ BEGIN CREATE TYPE mood AS ENUM ('ok; fine'); END $$",
}  # fmt: skip
FAILING: dict[str, str | bytes] = {
    "1_good": "CREATE TABLE good (id int);",
    "2_bad": "CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nINSERT INTO nowhere VALUES (1);",
    "3_never": "CREATE TABLE never (id int);",
}


def test_the_same_folder_leaves_the_same_rows_and_objects(workspace, database, twin):
    workspace.write(FOLDER)
    assert workspace.prisma(database, "deploy").rc == 0
    assert workspace.run(twin)["changed"] is True
    assert rows(twin) == rows(database)
    assert [row[0] for row in rows(twin)] == sorted(FOLDER)
    assert objects(twin) == objects(database)

    ours = workspace.run(database)
    assert (ours["changed"], ours["pending"], ours["drift"]) == (False, [], {})
    assert workspace.info(database)["status"] == "up_to_date"
    theirs = workspace.prisma(twin, "deploy")
    assert (theirs.rc, "No pending migrations to apply" in theirs.text) == (0, True)
    status = workspace.prisma(twin, "status")
    assert (status.rc, "Database schema is up to date" in status.text) == (0, True)


def test_ids_and_times_are_of_the_same_kind(workspace, database):
    workspace.write({"1_a": "CREATE TABLE a (id int);"})
    workspace.run(database)
    kinds = query(
        database,
        "SELECT id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', "
        "finished_at >= started_at, started_at > now() - interval '1 minute' FROM _prisma_migrations",
    )
    assert kinds == [(True, True, True)]


def test_the_table_itself_is_the_same(workspace, database, twin):
    workspace.write({"1_a": ""})
    workspace.prisma(database, "deploy")
    workspace.run(twin)
    columns = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = '_prisma_migrations'::regclass AND a.attnum > 0 ORDER BY a.attnum
    """
    assert query(twin, columns) == query(database, columns)


@pytest.fixture
def failed(workspace, database, twin) -> Workspace:
    """The second migration failed: in `database` when Prisma ran it, in `twin` when we did."""
    workspace.write(FAILING)
    assert workspace.prisma(database, "deploy").rc == 1
    assert workspace.run(twin)["code"] == "P3018"
    return workspace


def test_a_failure_leaves_the_same_and_stops_the_other_one_too(failed, database, twin):
    assert without_logs(rows(twin)) == without_logs(rows(database))
    assert objects(twin) == objects(database)
    ours, theirs = failed.run(database), failed.prisma(twin, "deploy")
    assert (ours["code"], ours["failed_migrations"]) == ("P3009", ["2_bad"])
    assert (theirs.rc, "P3009" in theirs.text, "`2_bad` migration" in theirs.text) == (
        1,
        True,
        True,
    )
    assert failed.info(database)["status"] == "failed"
    assert failed.info(database)["failed_migrations"][0]["logs"]


@pytest.mark.parametrize("resolution", ["applied", "rolled_back"])
def test_what_one_resolves_the_other_takes_as_resolved(failed, database, twin, resolution):
    option = f"--{resolution.replace('_', '-')}"
    assert failed.prisma(database, "resolve", option, "2_bad").rc == 0
    asked = {"state": "resolved", "migrations": ["2_bad"], "resolution": resolution}
    assert failed.run(twin, **asked)["resolved"] == ["2_bad"]
    assert without_logs(rows(twin)) == without_logs(rows(database))
    assert [row[-1] for row in rows(twin)][2:] == [row[-1] for row in rows(database)][2:]

    failed.write({"2_bad": "CREATE TABLE half (id int);"})
    ours, theirs = failed.run(database, drift="warn"), failed.prisma(twin, "deploy")
    assert (ours["changed"], theirs.rc) == (True, 0)
    assert rows(twin)[-1][:-1] == rows(database)[-1][:-1]
    assert objects(twin) == objects(database)


def test_what_prisma_refuses_to_resolve_we_refuse_with_its_code(failed, database, twin):
    for resolution, name, code in (
        ("rolled_back", "1_good", "P3012"),
        ("rolled_back", "3_never", "P3011"),
        ("rolled_back", "nothing", "P3011"),
        ("applied", "nothing", "P3017"),
    ):
        option = f"--{resolution.replace('_', '-')}"
        theirs = failed.prisma(database, "resolve", option, name)
        assert (theirs.rc, f"Error: {code}" in theirs.text) == (1, True), name
        before = rows(twin)
        ours = failed.run(twin, state="resolved", migrations=["2_bad", name], resolution=resolution)
        assert (ours["failed"], ours["code"]) == (True, code), name
        assert rows(twin) == before, "the other name was not settled either"


def test_a_database_that_was_there_before_is_refused_and_baselined_alike(workspace, database, twin):
    workspace.write(
        {"1_base": "CREATE TABLE base (id int);", "2_next": "CREATE TABLE next (id int);"}
    )
    for each in (database, twin):
        query(each, "CREATE TABLE base (id int)")
    theirs, ours = workspace.prisma(database, "deploy"), workspace.run(twin)
    assert (theirs.rc, "P3005" in theirs.text, ours["code"]) == (1, True, "P3005")

    workspace.prisma(database, "resolve", "--applied", "1_base")
    workspace.run(twin, state="resolved", migrations=["1_base"], resolution="applied")
    assert rows(twin) == rows(database)
    theirs, ours = workspace.prisma(twin, "deploy"), workspace.run(database)
    assert (theirs.rc, [each["name"] for each in ours["applied"]]) == (0, ["2_next"])
    assert rows(twin) == rows(database)


def test_the_client_is_generated_by_the_command_that_the_documentation_has(workspace, database):
    documented = re.search(r"^prisma_migrate_generate_command: (.*)$", DOCUMENTED.read_text(), re.M)
    place = workspace.checkout()
    with workspace.environment(PATH=f"{workspace.place / 'bin'}:{os.environ['PATH']}"):
        done = workspace.run(
            database,
            generate_command=yaml.safe_load(documented[1]),
            generate="always",
            chdir=str(place),
        )
    assert done["generated"] is True
    assert any("Generated Prisma Client" in line for line in done["output"]), done["output"]


def test_the_lock_of_one_keeps_the_other_out(workspace, database):
    workspace.write({"1_a": "CREATE TABLE a (id int);"})
    with opened(database) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(72707369)")
        theirs = workspace.prisma(database, "deploy")
        ours = workspace.run(database, advisory_lock_timeout=0.2)
    assert (theirs.rc, "P1002" in theirs.text) == (1, True)
    assert (ours["reason"], "another" in ours["msg"].lower()) == ("Locked", True)
    assert workspace.info(database)["status"] == "pending"
