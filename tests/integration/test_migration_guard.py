"""Both migration modules refuse what is not additive before anything runs, and let through what is waived."""

import typing as t
from pathlib import Path

import pytest

from tests.integration.migration_folders import Migrations
from tests.integration.running import hosted_database, opened, scratch_database

CHECKOUT = Path(__file__).parents[2] / "sandbox/checkout/v2.0.0"
WORD = "nobody reads it"


@pytest.fixture(params=["supabase", "prisma"])
def migrations(world, tmp_path, request) -> t.Iterator[Migrations]:
    make = hosted_database if request.param == "supabase" else scratch_database
    with make(world) as database:
        yield Migrations(request.param, tmp_path, database)


@pytest.fixture
def users(migrations) -> Migrations:
    """With a table of one row, applied."""
    migrations.write(
        "1_users", "CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1)"
    )
    assert migrations.run()["changed"] is True
    return migrations


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_nothing_runs_when_one_file_of_several_is_not_additive(users, check):
    users.write("2_notes", "CREATE TABLE notes (id int)")
    third = users.write("3_gone", "-- old\nSELECT 1;\n\nDROP TABLE users")
    fourth = users.write("4_gone", "UPDATE users SET name = 'secret-value'")

    result = users.run(check=check)

    assert (result["failed"], result["reason"]) == (True, "NotAdditive")
    found = [(f["file"], f["line"], f["statement"], f["rule"]) for f in result["findings"]]
    assert found == [(third, 4, 2, "drop-table"), (fourth, 1, 1, "rows-updated")]
    for word in (third, "line 4", "statement 2", "drops the table users", "waivers", fourth):
        assert word in result["msg"]
    assert "secret-value" not in str(result)
    assert result["verdicts"][third] == {
        "additive": 1,
        "warning": 0,
        "destructive": 1,
        "unknown": 0,
    }
    assert users.query("SELECT name, to_regclass('notes') FROM users") == [(None, None)]


def test_a_waiver_lets_its_file_through_and_is_in_the_result(users):
    second = users.write("2_gone", "ALTER TABLE users DROP COLUMN name")
    third = users.write("3_seen", "DELETE FROM users")
    waivers = {second: WORD}

    assert users.run(waivers=waivers)["findings"][0]["file"] == third

    waivers[third] = "one row"
    for check in (True, False):
        result = users.run(check=check, waivers=waivers)
        assert (result["changed"], result["findings"]) == (True, [])
        waived = {file: each["reason"] for file, each in result["waived"].items()}
        assert waived == waivers
        assert result["waived"][second]["findings"][0]["rule"] == "drop-column"
    assert users.query("SELECT count(*) FROM users") == [(0,)]

    for check in (True, False):
        again = users.run(check=check, waivers=waivers)
        assert (again["changed"], again["waived"]) == (False, {})


def test_what_may_break_code_that_runs_is_warned_of_and_runs(users, capsys):
    file = users.write("2_closed", "ALTER TABLE users ADD CONSTRAINT c CHECK (false) NOT VALID")
    for check in (True, False):
        result = users.run(check=check)
        assert (result["changed"], result["findings"]) == (True, [])
        assert [each["rule"] for each in result["guard_warnings"]] == ["rows-refused"]
        assert result["verdicts"][file] == {
            "additive": 0,
            "warning": 1,
            "destructive": 0,
            "unknown": 0,
        }
    # The lines are broken where they are printed, and each is printed once in a process.
    told = " ".join(capsys.readouterr().err.split())
    assert f"{file}, line 1, statement 1 (ALTER TABLE users ADD CONSTRAINT c" in told
    assert users.run()["guard_warnings"] == []


def test_sql_that_is_passed_over_is_warned_of(users, capsys):
    (users.folder / "add users.sql").write_text("SELECT 1")
    result = users.run(check=True)
    assert result["passed_over"] == ["add users.sql"]
    assert "add users.sql" in " ".join(capsys.readouterr().err.split())


def test_an_index_on_a_tiny_table_is_additive_unless_it_may_be_larger_by_then(users):
    users.write("2_few", "CREATE INDEX few ON users (id)")
    assert users.run(check=True)["findings"] == []
    users.write("2_few", "INSERT INTO users SELECT 1; CREATE INDEX few ON users (id)")
    assert users.run(check=True)["findings"][0]["rule"] == "index-blocks"
    users.write("2_few", "CREATE INDEX few ON users (id)")
    users.query("INSERT INTO users SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g")
    assert users.run(check=True)["findings"][0]["rule"] == "index-blocks"


def test_a_table_that_somebody_holds_is_not_waited_for_by_the_guard(users):
    users.write("2_few", "CREATE INDEX few ON users (id)")
    with opened(users.database) as session, session.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        assert users.run(check=True)["findings"][0]["rule"] == "index-blocks"


HISTORIES = {
    "supabase": "INSERT INTO supabase_migrations.schema_migrations (version) VALUES ('0')",
    "prisma": "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('0', '', '0', now())",
}


def test_a_migration_that_writes_into_the_history_is_unknown_and_noticed_when_it_ran(users):
    file = users.write("2_baseline", HISTORIES[users.kind])

    refused = users.run(check=True)
    assert [finding["rule"] for finding in refused["findings"]] == ["history"]
    assert refused["verdicts"][file]["unknown"] == 1

    ran = users.run(waivers={file: WORD})
    assert (ran["failed"], ran["reason"]) == (True, "VerificationFailed")
    assert ran["foreign_versions"] == ["0"]
    assert "the history has 0, which this run did not write" in ran["msg"]


def test_without_the_guard_everything_runs(users):
    users.write("2_gone", "DROP TABLE users")
    result = users.run(additive_only=False)
    assert (result["changed"], result["waived"], result["verdicts"]) == (True, {}, {})
    assert users.query("SELECT to_regclass('users')") == [(None,)]


def test_the_release_of_the_sandbox_needs_no_waiver(migrations):
    supabase = migrations.kind == "supabase"
    path = "supabase/migrations" if supabase else "packages/db/prisma/migrations"
    result = migrations.run(check=True, directory=str(CHECKOUT / path))
    assert result["waived"] == {}
    assert {counts["destructive"] for counts in result["verdicts"].values()} == {0}


def test_a_waiver_of_no_file_or_without_a_reason_is_refused(users):
    file = users.write("2_gone", "DROP TABLE users")
    assert "not in the folder: 9_no.sql" in users.run(waivers={"9_no.sql": WORD})["msg"]
    refused = users.run(waivers={file: " "})
    assert refused["reason"] == "InvalidInput"
    assert file in refused["msg"]
    assert users.query("SELECT count(*) FROM users") == [(1,)]


def test_files_that_cannot_run_are_told_together_with_what_is_not_additive(users):
    users.write("2_gone", "DROP TABLE users")
    bad = users.write("3_psql", "\\i other.sql\nCREATE TABLE a ()")
    result = users.run()
    assert result["reason"] == "InvalidInput"
    assert [each["rule"] for each in result["findings"]] == ["drop-table"]
    lines = result["msg"].splitlines()
    assert any(line.startswith(f"- {bad} has a psql meta-command in line 1") for line in lines)
