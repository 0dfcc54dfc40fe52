# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import prisma_migrations
from sandbox.world import World
from tests.integration.running import opened, query, run_module, scratch_database

ROWS = """
SELECT migration_name, checksum, applied_steps_count, finished_at IS NOT NULL, rolled_back_at IS NOT NULL
FROM _prisma_migrations ORDER BY started_at
"""


class Workspace:
    """A folder of migrations and an empty database."""

    def __init__(self, folder: Path, database: dict[str, t.Any]) -> None:
        self.folder = folder
        self.database = database

    def write(self, **migrations: str) -> None:
        for name, sql in migrations.items():
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "migration.sql").write_text(sql)

    def run(self, **options: t.Any) -> dict[str, t.Any]:
        return run_module(
            prisma_migrations, directory=str(self.folder), **{**self.database, **options}
        )

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        return query(self.database, sql)


@pytest.fixture
def workspace(world: World, tmp_path: Path) -> t.Iterator[Workspace]:
    folder = tmp_path / "migrations"
    folder.mkdir()
    with scratch_database(world) as database:
        yield Workspace(folder, database)


def test_check_mode_lists_what_is_pending_and_touches_nothing(workspace):
    workspace.write(a="create table a()")
    result = workspace.run(check=True, diff=True)
    assert [entry["name"] for entry in result["pending"]] == ["a"]
    assert "create table a()" in result["diff"]["after"]
    assert workspace.query("SELECT count(*) FROM pg_class WHERE relname LIKE '_prisma%'") == [(0,)]


def test_migrations_run_once_and_are_recorded_as_prisma_does(workspace):
    workspace.write(a="create table a();\ncreate table a2()", b="-- This is an empty migration.")
    result = workspace.run(expect_tables=["a"])
    assert (result["changed"], result["versions"]) == (True, ["a", "b"])
    assert result["tables"] == [{"name": "public.a", "created": True, "rows": 0}]
    checksum = hashlib.sha256(b"create table a();\ncreate table a2()").hexdigest()
    assert workspace.query(ROWS)[0] == ("a", checksum, 1, True, False)
    again = workspace.run()
    assert (again["changed"], again["applied"], again["pending"]) == (False, [], [])


def test_a_failed_migration_stops_until_somebody_settles_it(workspace):
    workspace.write(
        a="create table a(); insert into nope values ('secret-value')", b="create table b()"
    )
    failed = workspace.run()
    assert (failed["reason"], failed["code"], failed["file"]) == (
        "MigrationFailed",
        "P3018",
        "a/migration.sql",
    )
    assert "secret-value" not in str(failed)
    assert [row[3] for row in workspace.query(ROWS)] == [False]
    assert workspace.run()["code"] == "P3009"

    workspace.query("UPDATE _prisma_migrations SET rolled_back_at = now()")
    workspace.write(a="create table a()")
    assert workspace.run()["versions"] == ["a", "b"]


def test_a_database_with_tables_and_no_history_is_refused(workspace):
    workspace.query("CREATE TABLE other ()")
    workspace.write(a="create table a()")
    result = workspace.run()
    assert (result["reason"], result["code"]) == ("NotEmpty", "P3005")


def test_an_edited_migration_is_refused_and_may_be_waived(workspace):
    workspace.write(a="create table a()")
    workspace.run()
    workspace.write(a="create table a(id int)")
    assert workspace.run()["reason"] == "Drift"
    assert workspace.run(drift="warn")["changed"] is False


def test_a_migration_the_folder_has_lost_is_warned_of(workspace):
    workspace.write(a="create table a()", b="create table b()")
    workspace.run()
    (workspace.folder / "a" / "migration.sql").unlink()
    (workspace.folder / "a").rmdir()
    result = workspace.run()
    assert (result["changed"], result["missing_locally"]) == (False, ["a"])


def test_prismas_lock_is_respected(workspace):
    workspace.write(a="create table a()")
    with opened(workspace.database) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(72707369)")
        result = workspace.run(advisory_lock_timeout=0.3)
    assert result["reason"] == "Locked"


def command(workspace: Workspace, script: str) -> dict[str, t.Any]:
    return {"engine": "command", "command": ["sh", "-c", script], "chdir": str(workspace.folder)}


def test_the_command_runs_when_something_is_pending_and_is_not_believed(workspace):
    workspace.write(a="create table a()")
    result = workspace.run(**command(workspace, "pwd > ran"))
    assert (result["reason"], "still pending" in result["msg"]) == ("VerificationFailed", True)
    assert (workspace.folder / "ran").read_text().strip() == str(workspace.folder)

    (workspace.folder / "ran").unlink()
    workspace.run()
    assert workspace.run(**command(workspace, "touch ran"))["changed"] is False
    assert not (workspace.folder / "ran").exists()


def test_the_commands_words_are_told_without_the_password(workspace):
    workspace.write(a="create table a()")
    result = workspace.run(**command(workspace, "echo $DATABASE_URL; echo broken >&2; exit 3"))
    assert (result["reason"], result["rc"]) == ("Refused", 3)
    assert "broken" in result["msg"]
    assert workspace.database["login_password"] not in str(result["output"])
