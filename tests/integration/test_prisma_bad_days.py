"""Prisma migrations on bad days: whatever is cut off, a rerun ends where an undisturbed run would have."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration import runner
from tests.integration.prisma_project import PrismaProject
from tests.integration.supabase_project import Holder, let_go_after_a_try
from tests.tables import cases


def test_a_syntax_error_in_the_third_statement_leaves_nothing_of_the_script(project):
    project.write(a="CREATE TABLE a ();\nCREATE TABLE b ();\nCREATE TABEL c ();")
    failed = project.run(additive_only=False)
    assert (failed["code"], failed["line"], failed["sqlstate"]) == ("P3018", 3, "42601")
    assert not project.has("a")
    assert project.rows() == [("a", False, False, 0)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("INSERT INTO a VALUES (1);\n\n-- again\nINSERT INTO a\nVALUES (1)", "23505"),
        ("SELECT 1;\n\n-- why\nDO $$ BEGIN\n  RAISE EXCEPTION 'no';\nEND $$", "P0001"),
        ("SELECT 1;\n\n-- none\nSELECT * FROM nowhere", "42P01"),
    ],
)
def test_a_failure_is_told_with_its_statement_and_line(project, sql, sqlstate):
    project.write(a="CREATE TABLE a (id int PRIMARY KEY)")
    project.run()
    project.write(b=sql)
    failed = project.run(additive_only=False)
    assert (failed["sqlstate"], failed["statement"], failed["line"]) == (sqlstate, 2, 4)
    assert "b/migration.sql, statement 2, line 4 (" in failed["msg"]
    assert project.query("SELECT count(*) FROM a") == [(0,)]


def test_so_is_one_of_a_script_that_is_one_statement_and_no_transaction(project):
    project.write(a="CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)")
    project.run()
    project.write(b="-- the key\nCREATE UNIQUE INDEX CONCURRENTLY k ON a (id)")
    failed = project.run()
    assert (failed["sqlstate"], failed["statement"], failed["line"]) == ("23505", 1, 2)


@pytest.fixture
def brisk(monkeypatch):
    """Waits of a twentieth of a second."""
    monkeypatch.setattr(runner, "_LONGEST", 0.05)


@pytest.fixture
def waiting(project) -> PrismaProject:
    """With a migration that wants a lock on a table that was there before."""
    project.write(a="CREATE TABLE a ()")
    project.run()
    project.write(b="ALTER TABLE a ADD COLUMN b int")
    return project


def test_a_lock_held_for_long_is_tried_for_again_and_then_told_with_its_holder(waiting, brisk):
    with Holder(waiting, "LOCK TABLE a"):
        failed = waiting.run(lock_timeout=0.4, lock_retries=2)
        assert waiting.rows()[1:] == [("b", False, False, 0)], "one row, whatever the tries"
    assert (failed["sqlstate"], failed["code"]) == ("55P03", "P3018")
    holder = waiting.database["login_user"]
    assert f"(long report of {holder}, idle in transaction" in failed["msg"]
    waiting.resolve("rolled_back", "b")
    assert waiting.run()["changed"] is True


def test_a_lock_that_is_let_go_between_two_tries_fails_nothing(waiting, brisk, monkeypatch):
    with Holder(waiting, "LOCK TABLE a") as holder:
        let_go_after_a_try(holder, monkeypatch)
        result = waiting.run(lock_timeout=0.3, lock_retries=10)
    assert result["locks"] == {
        "b/migration.sql": [{"relation": "public.a", "mode": "ACCESS EXCLUSIVE"}]
    }
    assert waiting.rows() == [("a", True, False, 1), ("b", True, False, 1)]


def test_nobody_queues_behind_us_for_longer_than_the_lock_timeout(waiting):
    with Holder(waiting, "LOCK TABLE a IN ACCESS SHARE MODE"):
        # It ends while the holder has not.
        failed = waiting.run(lock_timeout=0.3, lock_retries=0)
    assert failed["sqlstate"] == "55P03"


def test_a_script_that_is_no_transaction_is_not_tried_again(waiting, brisk):
    waiting.write(b="BEGIN; CREATE TABLE b (); COMMIT; ALTER TABLE a ADD COLUMN b int")
    with Holder(waiting, "LOCK TABLE a"):
        failed = waiting.run(lock_timeout=0.3, lock_retries=5, additive_only=False)
    assert (failed["atomic"], waiting.has("b")) == (False, True)


def test_a_statement_that_takes_too_long_is_ended(project):
    project.write(a="CREATE TABLE a (); SELECT pg_sleep(600)")
    failed = project.run(statement_timeout=0.3, additive_only=False)
    assert (failed["sqlstate"], "'statement_timeout'" in failed["msg"]) == ("57014", True)
    assert not project.has("a")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.a ()",
        "SET search_path TO nowhere; CREATE TABLE public.a ()",
        "SET ROLE pg_read_all_data; RESET ROLE; SET lock_timeout = 1; CREATE TABLE a ()",
        "CREATE TABLE a (); SET ROLE pg_read_all_data",
        "CREATE TABLE a (); SET default_transaction_read_only = on",
    ],
)
def test_what_a_script_sets_for_its_session_disturbs_neither_its_row_nor_the_next_one(project, sql):
    project.write(a=sql, b="CREATE TABLE b ()")
    assert project.run(additive_only=False)["versions"] == ["a", "b"]
    assert (project.has("public.a"), project.has("public.b")) == (True, True)


def test_a_check_that_fails_at_the_commit_fails_the_script(project):
    project.write(
        a="CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO b VALUES (1)"
    )
    failed = project.run(additive_only=False)
    assert (failed["code"], failed["sqlstate"]) == ("P3018", "23503")
    assert (project.has("a"), project.rows()) == (False, [("a", False, False, 0)])


@cases(
    "sql",
    {
        "concurrent index": "CREATE INDEX CONCURRENTLY i ON t (x)",
        "block that commits": "DO $$ BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); COMMIT; END $$",
        "concurrent detach": "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
        "vacuum": "VACUUM t",
    },
)
def test_a_single_statement_that_wants_no_transaction_has_none(project, sql):
    project.write(
        a="CREATE TABLE t (x int); CREATE TABLE p (x int) PARTITION BY LIST (x); "
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)"
    )
    project.write(b=sql)
    result = project.run(additive_only=False)
    assert result["versions"] == ["a", "b"]
    assert (result["locks_unknown"], project.rows()[1]) == (
        ["b/migration.sql"],
        ("b", True, False, 1),
    )


def test_a_transaction_left_open_is_no_success(project):
    project.write(a="BEGIN; CREATE TABLE a ()")
    failed = project.run(additive_only=False)
    assert (failed["code"], "never commits" in failed["msg"]) == ("P3018", True)
    assert (project.has("a"), project.rows()) == (False, [("a", False, False, 0)])
