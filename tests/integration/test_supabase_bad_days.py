# SPDX-License-Identifier: GPL-3.0-or-later
"""Supabase migrations on bad days: whatever is cut off, a rerun ends where an undisturbed run would have."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from sandbox.world import World
from tests.integration.prisma_project import Child
from tests.integration.running import hosted_database
from tests.integration.supabase_project import Project

COUNTER = "CREATE TABLE ran (what text)"
VERSIONS = "SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1"


@pytest.fixture
def project(world: World, tmp_path: Path) -> t.Iterator[Project]:
    """With a table that tells how often each migration ran."""
    (tmp_path / "migrations").mkdir()
    with hosted_database(world) as database:
        project = Project(tmp_path / "migrations", {**database, "additive_only": False})
        project.query(COUNTER)
        yield project


def ran(project: Project) -> list[str]:
    return [row[0] for row in project.query("SELECT what FROM ran")]


def versions(project: Project) -> list[str]:
    return [row[0] for row in project.query(VERSIONS)]


def test_a_file_that_commits_by_itself_is_never_taken_for_applied(project):
    project.write(
        v1_a="begin; insert into ran values ('a'); commit; create table if not exists a()"
    )
    point, killed, twice = -1, True, 0
    while killed:
        point += 2
        killed = not Child(project, kill_at=point).ended()
        assert project.run()["versions"] == ["1"], f"killed at {point}"
        assert set(ran(project)) == {"a"}
        twice += len(ran(project)) - 1
        project.query("DROP TABLE a; DROP SCHEMA supabase_migrations CASCADE; TRUNCATE ran")
    assert twice > 0, "what it committed before its row was written runs again, as the docs say"


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
    failed = project.run()
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
        assert versions(project) == [str(each) for each in range(1, number + 1)]
