import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.execution import (
    controls_transaction,
    plan_steps,
    resets_role,
    runs_alone,
    session_role,
)


def steps(*statements: str) -> list[tuple[tuple[int, ...], bool]]:
    return [(step.statements, step.transaction) for step in plan_steps("", statements)]


def test_a_file_is_one_transaction():
    assert steps("create table a()", "insert into a") == [((0, 1), True)]


def test_a_concurrent_index_runs_alone_between_two_transactions():
    found = steps("create table a()", "create index concurrently i on a (b)", "select 1")
    assert found == [((0,), True), ((1,), False), ((2,), True)]


def test_the_historys_row_has_a_transaction_of_its_own_after_a_last_one_alone():
    assert steps("vacuum") == [((0,), False), ((), True)]


@pytest.mark.parametrize(
    "sql",
    [
        "discard all",
        "create database x",
        "reindex (verbose) schema public",
        "alter table a detach partition b concurrently",
        "do $$ begin delete from a; commit; end $$",
        "-- why\ndo $$ begin rollback ; end $$",
    ],
)
def test_what_commits_at_once_does_so_as_the_first_that_reaches_the_server(sql):
    assert steps(sql, "select 1") == [((0,), False), ((1,), True)]
    assert steps("select 1", sql) == [((0, 1), True)]
    assert steps("vacuum", sql) == [((0,), False), ((1,), False), ((), True)]


def test_a_block_that_only_says_commit_is_in_the_transaction():
    assert steps("do $$ begin raise notice 'commit'; end $$") == [((0,), True)]


def test_own_transactions_run_one_by_one():
    assert steps("begin", "select 1", "commit") == [((0, 1, 2), False)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_line_can_ask_for_no_transaction(end):
    [step] = plan_steps(f"-- pg-delta: transaction=false{end}select 1", ["select 1"])
    assert not step.transaction


@pytest.mark.parametrize(
    ("sql", "alone"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (b)", True),
        ("-- why\ndrop index concurrently i", True),
        ("reindex (verbose) table concurrently a", True),
        ("vacuum (full) a", True),
        ("alter system set x = 1", True),
        ("cluster", True),
        ("create index i on a (b)", False),
        ("create table vacuum_log ()", False),
        ("alter table a cluster on i", False),
        ("comment on index i is 'create index concurrently'", False),
    ],
)
def test_what_cannot_be_in_a_transaction_is_known(sql, alone):
    assert runs_alone(sql) is alone


@pytest.mark.parametrize(
    ("sql", "controls"),
    [
        ("begin", True),
        ("start transaction read only", True),
        ("/* x */ COMMIT", True),
        ("end", True),
        ("rollback", True),
        ("rollback work", True),
        ("prepare transaction 'x'", True),
        ("rollback to savepoint s", False),
        ("rollback transaction to s", False),
        ("savepoint s", False),
        ("prepare q as select 1", False),
        ("do $$ begin commit; end $$", False),
    ],
)
def test_transaction_control_is_known(sql, controls):
    assert controls_transaction(sql) is controls


@pytest.mark.parametrize(
    ("sql", "resets"),
    [("reset role", True), ("SET ROLE none", True), ("discard all", True), ("set role x", False)],
)
def test_statements_that_reset_the_role_are_known(sql, resets):
    assert resets_role(sql) is resets


def test_the_clis_login_roles_become_postgres():
    assert session_role("cli_login_postgres") == session_role("supabase_admin") == "postgres"
    assert session_role("postgres") is None
