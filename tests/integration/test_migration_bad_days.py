"""Each kind of migrations on bad days: whatever is cut off, a rerun ends where an undisturbed run would have."""

import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.flyway import FlywayFiles
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import SupabaseFiles
from tests.fakes.tcp_proxy import HOST, TcpProxy
from tests.integration.prisma_project import Child, PrismaProject
from tests.integration.running import hosted_database, scratch_database
from tests.integration.supabase_project import Holder, Project, SqlProject
from tests.integration.throwaway_server import ThrowawayServer
from tests.waiting import until

# In a schema of its own, so that the database counts as empty.
COUNTER = "CREATE SCHEMA witness; CREATE TABLE witness.ran (what text)"
NOTES = "INSERT INTO witness.ran VALUES ('{0}');"
# The first time it is run it takes its time; once somebody has noted `again` it doesn't.
SLEEPS_ONCE = NOTES + (
    "SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM witness.ran WHERE what = 'again') THEN 0 ELSE 600 END);"
)
SLEEPING = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%pg_sleep(CASE%' AND pid <> pg_backend_pid() AND state = 'active' AND datname = current_database()
"""


@dataclass(frozen=True)
class Kind:
    """The names of two migrations, in files and in results; their history's lock, and how it is forgotten."""

    project: t.Any
    names: tuple[str, str]
    versions: list[str]
    files: tuple[str, str]
    forget: str
    lock: int


KINDS = {
    "supabase": Kind(
        Project,
        ("v1_a", "v2_b"),
        ["1", "2"],
        ("1_a.sql", "2_b.sql"),
        "DROP SCHEMA supabase_migrations CASCADE",
        SupabaseFiles.ADVISORY_LOCK,
    ),
    "prisma": Kind(
        PrismaProject,
        ("a", "b"),
        ["a", "b"],
        ("a/migration.sql", "b/migration.sql"),
        "DROP TABLE _prisma_migrations",
        72707369,  # Prisma's own
    ),
    "sql": Kind(
        SqlProject,
        ("V1__a", "V2__b"),
        ["1", "2"],
        ("V1__a.sql", "V2__b.sql"),
        "DROP TABLE flyway_schema_history",
        FlywayFiles.ADVISORY_LOCK,
    ),
}


class Migrations:
    """A folder of one kind, with a table that tells how often each migration ran."""

    def __init__(self, kind: Kind, folder: Path, database: dict[str, t.Any]) -> None:
        folder.mkdir()
        self.kind = kind
        self.project = kind.project(folder, {**database, "additive_only": False})
        self.run, self.query, self.has = self.project.run, self.project.query, self.project.has
        self.query(COUNTER)

    def write(self, *scripts: str) -> None:
        self.project.write(**dict(zip(self.kind.names, scripts, strict=False)))

    def ran(self) -> list[str]:
        found = self.query("SELECT what FROM witness.ran WHERE what <> 'again' ORDER BY 1")
        return [row[0] for row in found]

    def until_it_sleeps(self) -> None:
        until(lambda: self.query(SLEEPING) == [(1,)])

    def goes_on(self, *migrations: str, **options: t.Any) -> None:
        """The same command again, without the trouble."""
        self.query(NOTES.format("again"))
        assert self.run(**options)["versions"] == self.kind.versions[: len(migrations)]
        assert self.ran() == list(migrations)


@pytest.fixture(params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def migrations(kind, world, tmp_path) -> t.Iterator[Migrations]:
    made = hosted_database if kind.project is Project else scratch_database
    with made(world) as database:
        yield Migrations(kind, tmp_path / "migrations", database)


def test_a_run_killed_at_any_point_is_simply_run_again(migrations):
    migrations.write(*(f"create table {name} (); {NOTES.format(name)}" for name in "ab"))
    point, killed, between = -1, True, 0
    while killed:
        point += 2
        killed = not Child(migrations.project, kill_at=point).ended()
        between += migrations.has("a") and not migrations.has("b")
        result = migrations.run()
        assert result["versions"] == migrations.kind.versions, f"killed at {point}"
        assert migrations.ran() == ["a", "b"], f"killed at {point}"
        migrations.query(f"DROP TABLE a, b; {migrations.kind.forget}; TRUNCATE witness.ran")
    assert point > 40, "every statement"
    assert between > 0, "between the files too"


def test_a_run_killed_in_the_middle_of_a_statement_frees_its_lock_at_once(migrations):
    migrations.write("create table a ();" + SLEEPS_ONCE.format("a"))
    child = Child(migrations.project)
    migrations.until_it_sleeps()
    child.kill()
    migrations.goes_on("a", advisory_lock_timeout=120)


def test_two_operators_at_once_apply_everything_once(migrations):
    migrations.write(f"create table a (); {NOTES.format('a')} select pg_sleep(0.3)")
    children = [Child(migrations.project) for _ in range(2)]
    results = [child.result() for child in children]
    assert sorted(result["changed"] for result in results) == [False, True]
    assert migrations.ran() == ["a"]


def cut_while_it_sleeps(migrations: Migrations) -> dict[str, t.Any]:
    with TcpProxy(HOST, migrations.project.database["login_port"]) as proxy:

        def cut() -> None:
            migrations.until_it_sleeps()
            proxy.cut()

        cutter = threading.Thread(target=cut)
        cutter.start()
        result: dict[str, t.Any] = migrations.run(login_port=proxy.port)
        cutter.join()
    return result


def test_a_connection_cut_in_mid_file_says_so_and_a_rerun_goes_on(migrations):
    migrations.write("create table a ();" + SLEEPS_ONCE.format("a"))
    cut = cut_while_it_sleeps(migrations)
    assert cut["reason"] == "Unreachable"
    assert "the result of its last statement is unknown" in cut["msg"]
    assert ", so run it again" in cut["msg"]
    if migrations.kind is not KINDS["prisma"]:
        assert (cut["file"], cut["changed"]) == (migrations.kind.files[0], False)
    migrations.goes_on("a")


@pytest.mark.parametrize("kind", ["supabase"], indirect=True)
def test_of_one_that_is_no_transaction_it_says_that_something_may_be_left(migrations):
    no_transaction = "-- pg-delta: transaction=false\n"
    migrations.write(f"{no_transaction}{SLEEPS_ONCE.format('a')} create table a ()")
    assert "undo what it left" in cut_while_it_sleeps(migrations)["msg"]
    migrations.query(NOTES.format("again"))
    assert migrations.run()["versions"] == ["1"]
    assert migrations.ran() == ["a", "a"]


@pytest.mark.parametrize("kind", ["supabase", "prisma"], indirect=True)
def test_a_file_that_commits_by_itself_is_never_taken_for_applied_nor_run_twice_unnoticed(
    migrations,
):
    prisma = migrations.kind is KINDS["prisma"]
    migrations.write(f"begin; {NOTES.format('a')} commit; create table if not exists a ()")
    point, killed, unsettled = -1, True, 0
    while killed:
        point += 2
        killed = not Child(migrations.project, kill_at=point).ended()
        result = migrations.run()
        if prisma and result.get("code") == "P3009":
            unsettled += 1
            assert migrations.project.rows() == [("a", False, False, 0)]
        else:
            assert result["versions"] == migrations.kind.versions[:1], f"killed at {point}"
            assert {*migrations.ran()} == {"a"}
            if prisma:
                rows = migrations.project.rows()
                assert (migrations.ran(), rows) == (["a"], [("a", True, False, 1)]), point
            # What a file of Supabase committed before its row was written runs again, as the docs say.
            unsettled += len(migrations.ran()) - 1
        migrations.query(f"DROP TABLE IF EXISTS a; {migrations.kind.forget}; TRUNCATE witness.ran")
    assert unsettled > 0


def test_a_server_that_crashes_in_mid_migration_comes_back_to_what_was_committed(
    kind, world, tmp_path
):
    server = ThrowawayServer(Path(world.facts("postgres")["bin"]))
    try:
        migrations = Migrations(kind, tmp_path / "migrations", server.options)
        migrations.write(
            f"create table a (); {NOTES.format('a')}",
            f"create table b (); {SLEEPS_ONCE.format('b')}",
        )
        child = Child(migrations.project)
        migrations.until_it_sleeps()
        server.crash_and_restart()
        crashed = child.result()
        assert crashed["reason"] == "Unreachable"
        assert [one["file"] for one in crashed["applied"]] == [kind.files[0]]
        if kind is not KINDS["prisma"]:
            assert (crashed["file"], crashed["changed"]) == (kind.files[1], True)
        migrations.goes_on("a", "b")
    finally:
        server.stop()


def test_a_syntax_error_in_the_third_statement_leaves_nothing_of_the_file(migrations):
    migrations.write("create table a ();\ncreate table b ();\ncreate tabel c ();")
    failed = migrations.run()
    assert (failed["statement"], failed["line"], failed["sqlstate"]) == (3, 3, "42601")
    assert not migrations.has("a")


def test_two_runs_do_not_migrate_at_once(migrations):
    migrations.write("create table a ()")
    with Holder(migrations.project, f"SELECT pg_advisory_lock({migrations.kind.lock})"):
        result = migrations.run(advisory_lock_timeout=0.3)
    assert (result["reason"], migrations.has("a")) == ("Locked", False)
    assert "process " in result["msg"]
