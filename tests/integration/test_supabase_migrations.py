import typing as t

import pytest

from tests.integration.running import hosted_database
from tests.integration.supabase_project import Project

HISTORY = "SELECT version, name, statements FROM supabase_migrations.schema_migrations ORDER BY 1"


@pytest.fixture
def project(world, tmp_path) -> t.Iterator[Project]:
    with hosted_database(world) as database:
        yield Project(tmp_path, database)


def test_migrations_run_once_and_are_recorded_statement_by_statement(project):
    project.write(
        v1_a="-- why\ncreate table a(id int); insert into a values (1);", v2_b="create table b()"
    )
    result = project.run(expect_tables=["b"])
    assert (result["changed"], result["versions"], result["pending"]) == (True, ["1", "2"], [])
    assert result["tables"] == [{"name": "b", "created": True, "rows": 0}]
    assert project.query(HISTORY) == [
        ("1", "a", ["-- why\ncreate table a(id int)", "insert into a values (1)"]),
        ("2", "b", ["create table b()"]),
    ]
    again = project.run(expect_tables=["b"])
    assert (again["changed"], again["applied"]) == (False, [])
    assert again["tables"] == [{"name": "b", "created": False, "rows": None}]
    assert project.query("SELECT count(*) FROM a") == [(1,)]


def test_the_history_of_an_old_cli_is_brought_up_to_date(project):
    project.query("CREATE SCHEMA supabase_migrations")
    project.query("CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY)")
    project.query("INSERT INTO supabase_migrations.schema_migrations VALUES ('1')")
    project.write(v1_a="create table a()", v2_b="create table b()")
    assert project.run()["versions"] == ["1", "2"]
    assert project.query(HISTORY)[1] == ("2", "b", ["create table b()"])


def test_a_failing_file_leaves_the_files_before_it_and_nothing_of_itself(project):
    project.write(
        v1_a="create table a();",
        v2_b="create table b();\n\ninsert into nope values ('secret-value');",
        v3_c="create table c()",
    )
    result = project.run()
    assert (result["failed"], result["changed"], result["reason"]) == (
        True,
        True,
        "MigrationFailed",
    )
    assert (result["file"], result["statement"], result["line"]) == ("2_b.sql", 2, 3)
    assert result["sqlstate"] == "42P01"
    assert [entry["file"] for entry in result["applied"]] == ["1_a.sql"]
    assert "secret-value" not in str(result)
    assert [project.has(table) for table in "abc"] == [True, False, False]

    project.write(v2_b="create table b()")
    assert project.run()["versions"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("sql", "statement"),
    [
        ("create table a(i int primary key);\n" + "insert into a values (1);\n" * 2, 3),
        (
            "create table a(i int);\ninsert into a values (1), (1);\nalter table a add unique (i);\n",
            3,
        ),
        ("create table a(i int);\nselect 1/0;\n-- it's\nselect 1", 2),
        (
            "create table a(i int);\nselect E'\\x41';\ninsert into a values (1);\nalter table a add check (i > 1)",
            4,
        ),
    ],
)
def test_the_statement_is_told_that_failed_while_it_ran(project, sql, statement):
    project.write(v1_a=sql)
    result = project.run(lock_retries=0)
    assert (result["statement"], result["line"]) == (statement, statement), result["msg"]
    assert not project.has("a")
    assert project.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_concurrent_index_is_reported_as_not_atomic_and_made(project):
    project.write(v1_a="create table a(id int); create index concurrently a_id on a(id); select 1")
    [entry] = project.run()["applied"]
    assert entry["atomic"] is False
    assert project.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [
        (True,)
    ]


def test_settings_of_one_file_do_not_reach_the_next(project):
    project.write(
        v1_a="set search_path = pg_temp; set statement_timeout = '9s'",
        v2_b="create table b(); create table seen as select current_setting('statement_timeout')",
    )
    assert project.run(additive_only=False)["changed"]
    assert project.has("public.b")
    assert project.query("SELECT * FROM public.seen") == [("0",)]


@pytest.mark.parametrize(
    ("files", "reason", "words"),
    [
        ({"v1_a": "create table a(id bigint)"}, "Drift", "1_a.sql"),
        ({"v3_c": "select 1;\ncopy a from stdin"}, "InvalidInput", "in line 2"),
        ({"v2_c": "select 1"}, "InvalidInput", "share a version"),
        ({"v3_c": "begin; create table c()"}, "MigrationFailed", "never commits"),
    ],
)
def test_what_cannot_end_well_is_refused(project, files, reason, words):
    project.write(v1_a="create table a()", v2_b="create table b()")
    project.run()
    project.write(**files)
    result = project.run()
    assert (result["failed"], result.get("changed", False), result["reason"]) == (
        True,
        False,
        reason,
    )
    assert words in result["msg"]
    assert not project.has("c")


def test_drift_can_be_waived_with_a_warning(project, capsys):
    project.write(v1_a="create table a()")
    project.run()
    project.write(v1_a="create table a(id int)")
    result = project.run(drift="warn")
    assert (result["changed"], list(result["drift"])) == (False, ["1_a.sql"])
    assert "1_a.sql was edited" in capsys.readouterr().err


def test_a_table_that_is_missing_or_filled_fails_after_the_fact(project):
    project.write(v1_a="create table a(id int); insert into a values (1)")
    result = project.run(expect_tables=["a", "b"])
    assert (result["failed"], result["changed"], result["reason"]) == (
        True,
        True,
        "VerificationFailed",
    )
    assert "no table b" in result["msg"]
    assert "a (1 rows)" in result["msg"]


@pytest.mark.parametrize(
    "sql",
    [
        "alter role nobody_there password 'hunter2secret'",
        "do $$ begin perform 'hunter2secret'::int; end $$",
        "do $$ begin raise exception 'it is %', 'x' using detail = 'hunter2secret'; end $$",
        "select 'hunter2secret'::int",
        "create table a(k text unique); insert into a values ('hunter2secret'), ('hunter2secret')",
        "create table a(k text check (k = '')); insert into a values ('hunter2secret')",
        "select 'hunter2secret",
        "select cast(row('hunter2secret') as nothing)",
        "select E'\\'hunter2secret' || 1/0",
    ],
)
def test_nothing_that_stands_in_quotes_is_told_of_a_failing_file(project, sql):
    project.write(v1_a=sql)
    failed = project.run(additive_only=False)
    assert failed["failed"]
    assert "hunter2secret" not in str(failed)


def test_a_database_that_only_reads_is_refused_in_one_sentence(project):
    name = project.database["login_db"]
    project.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    project.write(v1_a="create table a()")
    for check in (True, False):
        failed = project.run(check=check)
        assert (failed["reason"], failed.get("changed", False)) == ("Refused", False)
        assert "is read-only, because its default_transaction_read_only is on" in failed["msg"]


def test_what_cannot_be_is_refused_for_all_files_at_once(project):
    (project.folder / "1_a.sql").write_bytes(b"select 1;\nselect '\xe4'")
    project.write(v2_b="-- nothing\n", v3_c="select 1;\n\\i other.sql", v4_d="create table d()")
    failed = project.run()
    assert failed["reason"] == "InvalidInput"
    for words in (
        "1_a.sql is not UTF-8 (line 2",
        "2_b.sql has no statement",
        "3_c.sql has a psql meta-command in line 2",
    ):
        assert words in failed["msg"]  # fmt: skip
    assert not project.has("d")


def test_twelve_steps(project):
    """Nothing to applied, then a new file; each in check mode, for real, in check mode again, and again.

    Migrations only go forward, so there is nothing to remove.
    """
    for number, sql in enumerate(("create table a()", "create table b()"), start=1):
        project.write(**{f"v{number}_x": sql})
        before = project.query("SELECT count(*) FROM pg_class")
        for check, changed in ((True, True), (False, True), (True, False), (False, False)):
            result = project.run(check=check, diff=True)
            assert result["changed"] is changed
            if check and changed:
                assert [one["file"] for one in result["pending"]] == [f"{number}_x.sql"]
                assert (result["applied"], sql in result["diff"]["after"]) == ([], True)
                assert project.query("SELECT count(*) FROM pg_class") == before
        assert result["versions"] == [str(each) for each in range(1, number + 1)]
