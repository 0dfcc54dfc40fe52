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


KNOWN = {
    runs_alone: (
        ["CREATE UNIQUE INDEX CONCURRENTLY i ON a (b)", "-- why\ndrop index concurrently i", "cluster",
         "reindex (verbose) table concurrently a", "vacuum (full) a", "alter system set x = 1"],
        ["create index i on a (b)", "create table vacuum_log ()", "alter table a cluster on i",
         "comment on index i is 'create index concurrently'"],
    ),
    controls_transaction: (
        ["begin", "start transaction read only", "/* x */ COMMIT", "end", "rollback", "rollback work",
         "prepare transaction 'x'"],
        ["rollback to savepoint s", "rollback transaction to s", "savepoint s", "prepare q as select 1",
         "do $$ begin commit; end $$"],
    ),
    resets_role: (["reset role", "SET ROLE none", "discard all"], ["set role x"]),
}  # fmt: skip
"""Statements for which each is true, and for which it is not."""


@pytest.mark.parametrize(
    ("decides", "sql", "expected"),
    [
        (decides, sql, true)
        for decides, statements in KNOWN.items()
        for true, texts in zip((True, False), statements, strict=True)
        for sql in texts
    ],
)
def test_what_a_statement_does_is_known(decides, sql, expected):
    assert decides(sql) is expected


def test_the_clis_login_roles_become_postgres():
    assert session_role("cli_login_postgres") == session_role("supabase_admin") == "postgres"
    assert session_role("postgres") is None
