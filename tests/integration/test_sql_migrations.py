"""Plain SQL migrations on a server: Flyway's history, the guard, the lock, and runs that are killed."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.flyway import (
    TABLE,
    checksum_of,
)
from tests.integration.running import scratch_database
from tests.integration.supabase_project import SqlProject

HISTORY = f"SELECT installed_rank, version, description, type, script, checksum, success FROM {TABLE} ORDER BY 1"
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = 'public.flyway_schema_history'::regclass AND attnum > 0 ORDER BY attnum
"""
# What Flyway's source makes of it on PostgreSQL; its documentation has the same columns.
FLYWAYS_COLUMNS = [
    ("installed_rank", "integer", True),
    ("version", "character varying(50)", False),
    ("description", "character varying(200)", True),
    ("type", "character varying(20)", True),
    ("script", "character varying(1000)", True),
    ("checksum", "integer", False),
    ("installed_by", "character varying(100)", True),
    ("installed_on", "timestamp without time zone", True),
    ("execution_time", "integer", True),
    ("success", "boolean", True),
]
FLYWAYS_TABLE = f"""
CREATE TABLE {TABLE} (installed_rank int NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL,
installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL);
INSERT INTO {TABLE} VALUES
(0, NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '"public"', NULL, 'app', now(), 0, true),
(1, '1', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL, 'app', now(), 0, true),
(2, '2', 'Add bio col to user table', 'SQL', 'V2__Add_bio_col_to_user_table.sql', -1023348034, 'app', now(), 8, true);
"""
BIO = "alter table user add bio varchar(256) null;"
"""Flyway gave it that checksum."""


@pytest.fixture
def project(world, tmp_path) -> t.Iterator[SqlProject]:
    folder = tmp_path / "migrations"
    folder.mkdir()
    with scratch_database(world) as database:
        yield SqlProject(folder, database)


def test_twelve_steps_and_rows_as_flyway_writes_them(project):
    """Nothing to applied, then a new file; each in check mode, for real, in check mode again, and again."""
    steps = (
        ("V1_9_0__first_table", "create table a(id int);\r\n"),
        ("V1.10__b", "create table b(); create table c()"),
    )
    for name, sql in steps:
        project.write(**{name: sql})
        before = project.query("SELECT count(*) FROM pg_class")
        for check, changed in ((True, True), (False, True), (True, False), (False, False)):
            result = project.run(check=check, diff=True, expect_tables=["a"])
            assert result["changed"] is changed, result
            if check and changed:
                assert [each["file"] for each in result["pending"]] == [f"{name}.sql"]
                assert sql.strip() in result["diff"]["after"]
                assert project.query("SELECT count(*) FROM pg_class") == before
    assert project.query(HISTORY) == [
        (1, "1.9.0", "first table", "SQL", "V1_9_0__first_table.sql", checksum_of(steps[0][1]), True),
        (2, "1.10", "b", "SQL", "V1.10__b.sql", checksum_of(steps[1][1]), True),
    ]  # fmt: skip
    assert project.query(COLUMNS) == FLYWAYS_COLUMNS
    assert result["versions"] == ["1.9", "1.10"]


def test_a_history_of_flyway_goes_on(project):
    project.query(FLYWAYS_TABLE)
    project.write(
        V1__made_by_hand="create table a()",
        V2__Add_bio_col_to_user_table=BIO,
        V3__c="create table c()",
    )
    result = project.run()
    assert [each["file"] for each in result["applied"]] == ["V3__c.sql"]
    assert (result["versions"], result["drift"]) == (["1", "2", "3"], {})
    assert project.query(HISTORY)[-1][:5] == (3, "3", "c", "SQL", "V3__c.sql")
    assert not project.run()["changed"]


def test_a_database_with_tables_and_no_history_needs_its_version_once(project):
    project.query("CREATE TABLE a()")
    project.write(V1__a="create table a()", V2__b="create table b()")
    refused = project.run()
    assert (refused["reason"], project.has(TABLE)) == ("NotEmpty", False)
    assert "option 'baseline'" in refused["msg"]
    assert "Option 'baseline'" in project.run(baseline="one")["msg"]
    assert [each["file"] for each in project.run(check=True, baseline="1")["pending"]] == [
        "V2__b.sql"
    ]
    assert project.run(baseline="1")["versions"] == ["1", "2"]
    assert [row[1:4] for row in project.query(HISTORY)] == [
        ("1", "<< Flyway Baseline >>", "BASELINE"),
        ("2", "b", "SQL"),
    ]
    assert not project.run()["changed"]


FAILED = "(9, '3', 'c', 'SQL', 'V3__c.sql', 1, 'app', now(), 0, false)"


@pytest.mark.parametrize(
    ("files", "rows", "reason", "words"),
    [
        ({"V1__a": "create table a(id bigint)"}, "", "Drift", "its checksum was"),
        ({"V3__c": "create table c(); drop table a"}, "", "NotAdditive", "V3__c.sql"),
        ({"V3__c": "create table c(); select '${x}'"}, "", "InvalidInput", "placeholder ${x}"),
        ({"V2.0__c": "select 1"}, "", "InvalidInput", "share a version, 2"),
        ({"V3__c": "create table c()"}, FAILED, "FailedMigration", "failed in V3__c.sql"),
    ],
)  # fmt: skip
def test_what_cannot_end_well_is_refused_before_anything_is_touched(
    project, files, rows, reason, words
):
    project.write(V1__a="create table a()", V2__b="create table b()")
    project.run()
    if rows:
        project.query(f"INSERT INTO {TABLE} VALUES {rows}")
    project.write(V4__d="create table d()")
    project.write(**files)
    for check in (True, False):
        result = project.run(check=check)
        assert (result["failed"], result["reason"]) == (True, reason), result
        assert words in result["msg"]
        assert not result.get("changed")
    assert [project.has(table) for table in "cd"] == [False, False]


def test_a_history_elsewhere_is_not_taken_for_none(project):
    project.query(f"CREATE SCHEMA app; {FLYWAYS_TABLE.replace('public.', 'app.')}")
    project.write(V1__a="create table a()")
    assert "history is in schema app" in project.run()["msg"]
    assert not project.has("a")


def test_an_older_file_runs_when_it_is_allowed_and_a_waived_one_too(project):
    project.write(V1__a="create table a()", V10__j="create table j()")
    project.run()
    project.write(V9__late="create table i()", V11__drop="drop table a")
    result = project.run(include_all=True, waivers={"V11__drop.sql": "nobody reads it"})
    assert [each["version"] for each in result["applied"]] == ["9", "11"]
    assert list(result["waived"]) == ["V11__drop.sql"]


def test_a_failing_file_leaves_the_files_before_it_and_nothing_of_itself(project):
    project.write(V1__a="create table a()", V2__b="create table b();\ninsert into nope values (1)")
    result = project.run()
    assert (result["file"], result["line"], result["sqlstate"]) == ("V2__b.sql", 2, "42P01")
    assert [project.has(table) for table in "ab"] == [True, False]
    assert [row[1] for row in project.query(HISTORY)] == ["1"]
