"""What stands between a migration and its server: limits of the role, a pooler, a standby."""

import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.migration_folders import Migrations
from tests.integration.pgbouncer import pooler
from tests.integration.running import hosted_database, query, scratch_database
from tests.integration.supabase_project import Holder
from tests.integration.throwaway_server import ThrowawayServer
from tests.waiting import until

WAITS_LONGER_THAN_THE_ROLE_MAY = """
SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE datname = current_database() AND NOT granted AND clock_timestamp() - waitstart > interval '1.5 s'
"""
KINDS = pytest.mark.parametrize("kind", ["supabase", "prisma"])


@pytest.fixture(scope="module")
def server(world) -> t.Iterator[ThrowawayServer]:
    server = ThrowawayServer(Path(world.facts("postgres")["bin"]))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def pooled(server: ThrowawayServer, mode: str) -> t.Iterator[dict[str, t.Any]]:
    """The options of a PgBouncer in front of the server."""
    with pooler(server.port, mode) as port:
        yield {**server.options, "login_port": port}


@KINDS
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_is_refused_where_it_gives_each_transaction_another_session(
    server, kind, mode, tmp_path
):
    with pooled(server, mode) as options:
        folder = Migrations(kind, tmp_path, options)
        folder.write("1_a", f"CREATE TABLE {kind}_{mode} ()")
        result = folder.run(check=True)
    if mode == "session":
        assert [each["version"] for each in result["pending"]] == [
            "1" if kind == "supabase" else "1_a"
        ]
    else:
        assert (result["failed"], result["reason"]) == (True, "Refused")
        assert "is behind a pooler in transaction mode" in result["msg"]


@KINDS
def test_a_standby_is_refused_before_anything_is_tried(world, kind, tmp_path):
    server = ThrowawayServer(Path(world.facts("postgres")["bin"]))
    try:
        server.become_standby()
        folder = Migrations(kind, tmp_path, server.options)
        folder.write("1_a", "CREATE TABLE a ()")
        for check in (True, False):
            failed = folder.run(check=check)
            assert (failed["reason"], failed.get("changed", False)) == ("Refused", False)
            assert "is read-only, because it is a standby: migrate the primary" in failed["msg"]
    finally:
        server.stop()


@KINDS
def test_the_statement_timeout_of_the_role_does_not_end_a_migration(world, kind, tmp_path):
    make = hosted_database if kind == "supabase" else scratch_database
    with make(world) as database:
        folder = Migrations(kind, tmp_path, database)
        folder.write("1_a", "CREATE TABLE a ()")
        assert folder.run()["changed"] is True
        name, user = database["login_db"], database["login_user"]
        query(database, f"ALTER ROLE {user} IN DATABASE {name} SET statement_timeout = '1s'")
        folder.write("2_b", "CREATE TABLE b (); SELECT pg_sleep(1.5)")
        table = (
            "supabase_migrations.schema_migrations" if kind == "supabase" else "_prisma_migrations"
        )
        with Holder(folder, f"LOCK TABLE {table}") as holder, ThreadPoolExecutor(1) as threads:

            def let_go() -> None:
                until(lambda: bool(query(database, WAITS_LONGER_THAN_THE_ROLE_MAY)))
                holder.let_go()

            # It asks for the history, and waits for it.
            waited = threads.submit(let_go)
            result = folder.run(waivers={folder.file("2_b"): "it sleeps"})
        waited.result()
        assert not result.get("failed"), result["msg"]
        assert len(result["applied"]) == 1
