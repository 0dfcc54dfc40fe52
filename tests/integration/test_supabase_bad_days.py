# SPDX-License-Identifier: GPL-3.0-or-later
"""Supabase migrations on bad days: whatever is cut off, a rerun ends where an undisturbed run would have."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import pytest

from sandbox.world import World
from tests.fakes.tcp_proxy import HOST, TcpProxy
from tests.integration.prisma_project import Child
from tests.integration.running import hosted_database
from tests.integration.supabase_project import Project
from tests.integration.throwaway_server import ThrowawayServer
from tests.waiting import until

COUNTER = "CREATE TABLE ran (what text)"
# The first time it is run it takes its time; once somebody has noted `again` it doesn't.
SLEEPS = """INSERT INTO ran VALUES ('{0}');
SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM ran WHERE what = 'again') THEN 0 ELSE 20 END);"""
AGAIN = "INSERT INTO ran VALUES ('again')"
SLEEPING = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%pg_sleep(CASE%' AND pid <> pg_backend_pid() AND state = 'active' AND datname = current_database()
"""
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
    return [
        row[0] for row in project.query("SELECT what FROM ran WHERE what <> 'again' ORDER BY 1")
    ]


def versions(project: Project) -> list[str]:
    return [row[0] for row in project.query(VERSIONS)]


def test_a_run_killed_at_any_point_is_simply_run_again(project):
    project.write(v1_a="create table a(); insert into ran values ('a')")
    project.write(v2_b="create table b(); insert into ran values ('b')")
    point, killed = -1, True
    while killed:
        point += 2
        killed = not Child(project, kill_at=point).ended()
        result = project.run()
        assert result["versions"] == ["1", "2"], f"killed at {point}"
        assert ran(project) == ["a", "b"], f"killed at {point}"
        project.query("DROP TABLE a, b; DROP SCHEMA supabase_migrations CASCADE; TRUNCATE ran")
    assert point > 40, "every statement"


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


def test_a_run_killed_in_the_middle_of_a_statement_frees_its_lock_and_leaves_nothing(project):
    project.write(v1_a="create table a();" + SLEEPS.format("a"))
    child = Child(project)
    until(lambda: project.query(SLEEPING) == [(1,)])
    child.kill()
    project.query(AGAIN)
    assert project.run(advisory_lock_timeout=8)["versions"] == ["1"]
    assert ran(project) == ["a"]


def test_two_operators_at_once_apply_everything_once(project):
    project.write(v1_a="create table a(); insert into ran values ('a'); select pg_sleep(0.3)")
    children = [Child(project) for _ in range(2)]
    results = [child.result() for child in children]
    assert sorted(result["changed"] for result in results) == [False, True]
    assert ran(project) == ["a"]


@pytest.mark.parametrize(
    ("before", "words", "left"),
    [
        ("", "are one transaction, so run it again", ["a"]),
        ("-- pg-delta: transaction=false\n", "undo what it left", ["a", "a"]),
    ],
    ids=["atomic", "not atomic"],
)
def test_a_connection_cut_in_mid_file_says_what_is_known_and_a_rerun_goes_on(
    project, before, words, left
):
    project.write(v1_a=before + SLEEPS.format("a") + "create table a()")
    with TcpProxy(HOST, project.database["login_port"]) as proxy:
        cutter = threading.Thread(
            target=lambda: (until(lambda: project.query(SLEEPING) == [(1,)]), proxy.cut())
        )
        cutter.start()
        cut = project.run(login_port=proxy.port)
        cutter.join()
    assert (cut["reason"], cut["file"], cut["changed"]) == ("Unreachable", "1_a.sql", False)
    assert "the result of its last statement is unknown" in cut["msg"]
    assert words in cut["msg"]
    project.query(AGAIN)
    assert project.run()["versions"] == ["1"]
    assert ran(project) == left


def test_a_server_that_crashes_in_mid_migration_comes_back_to_what_was_committed(
    world: World, tmp_path: Path
):
    server = ThrowawayServer(Path(world.facts("postgres")["bin"]))
    try:
        (tmp_path / "migrations").mkdir()
        project = Project(tmp_path / "migrations", {**server.options, "additive_only": False})
        server.query(COUNTER)
        project.write(v1_a="create table a(); insert into ran values ('a')")
        project.write(v2_b="create table b();" + SLEEPS.format("b"))
        child = Child(project)
        until(lambda: server.query(SLEEPING) == [(1,)])
        server.crash_and_restart()
        crashed = child.result()
        assert (crashed["reason"], crashed["file"], crashed["changed"]) == (
            "Unreachable",
            "2_b.sql",
            True,
        )
        assert [entry["file"] for entry in crashed["applied"]] == ["1_a.sql"]
        server.query(AGAIN)
        assert project.run()["versions"] == ["1", "2"]
        assert server.query("SELECT what FROM ran WHERE what <> 'again' ORDER BY 1") == [
            ("a",),
            ("b",),
        ]
    finally:
        server.stop()


def test_a_syntax_error_in_the_third_statement_leaves_nothing_of_the_file(project):
    project.write(v1_a="create table a();\ncreate table b();\ncreate tabel c();")
    failed = project.run()
    assert (failed["statement"], failed["line"], failed["sqlstate"]) == (3, 3, "42601")
    assert not project.has("a")
    assert project.run(check=True)["pending"][0]["file"] == "1_a.sql"


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
            if check and changed:
                assert project.run(check=True)["changed"] is True
                assert project.query("SELECT count(*) FROM pg_class") == before
            else:
                assert project.run(check=check)["changed"] is changed
        assert versions(project) == [str(each) for each in range(1, number + 1)]
