import hashlib

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_deploy import (
    ScriptRun,
    database_url,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_history import (
    HistoryTable,
    PrismaHistory,
    PrismaMigration,
    PrismaRow,
    plan_prisma,
    problems_of,
    read_folder,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import (
    LockRetries,
    SessionTimeouts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
from tests.fakes.session import MemorySession, NoWatch
from tests.tables import cases

LIMITS = SessionTimeouts(lock_timeout=5, statement_timeout=0)


def migration(name: str, content: str = "select 1") -> PrismaMigration:
    return PrismaMigration.of(name, content.encode())


def row(name: str, *, finished: bool = True, rolled_back: bool = False) -> PrismaRow:
    return PrismaRow(name, migration(name).checksum, finished, rolled_back, 0.1)


def history(*rows: PrismaRow, exists: bool = True, relations: str = "") -> PrismaHistory:
    return PrismaHistory(exists=exists, relations=frozenset(relations.split()), rows=rows)


def pending(seen: PrismaHistory, *names: str) -> list[str]:
    return [found.name for found in plan_prisma(seen, [migration(name) for name in names]).pending]


@cases(
    ("seen", "expected"),
    {
        "an empty database": (history(exists=False), ["a", "b", "c"]),
        "whatever the order": (history(row("b")), ["a", "c"]),
        "rolled back": (history(row("a", finished=False, rolled_back=True)), ["a", "b", "c"]),
    },
)
def test_what_is_not_applied_is_pending(seen, expected):
    assert pending(seen, "a", "b", "c") == expected


INIT = """-- CreateTable
CREATE TABLE "users" (
  id int
);
create table if not exists public.orders(id int);
"""


@pytest.mark.parametrize(
    ("relations", "named"),
    [
        ("users orders", "=1_init"),
        ("users orders payments", '"prisma_migrate_resolved=1_init,2_index,3_payments"'),
        ("users payments", "=1_init"),
        ("spatial_ref_sys", "=1_init"),
    ],
    ids=["the first", "up to the last that is there", "none is whole", "none is there"],
)
def test_tables_without_a_history_are_refused_and_tell_what_to_name(relations, named):
    local = [
        migration("1_init", INIT),
        migration("2_index", "create index on users (id)"),
        migration("3_payments", 'CREATE TABLE "payments" (id int);'),
        migration("4_index", "create index on payments (id)"),
    ]
    with pytest.raises(ConflictError) as caught:
        plan_prisma(history(exists=False, relations=relations), local)
    assert caught.value.details["code"] == "P3005"
    assert f"{named}, and run again." in str(caught.value)
    [(playbook, options)] = commands_in(str(caught.value))
    assert playbook == "resolve_migrations.yml"
    assert options.endswith(named)


def test_a_failed_migration_stops_the_next_deploy():
    with pytest.raises(ConflictError, match="b") as caught:
        pending(history(row("a"), row("b", finished=False)), "a", "b")
    assert caught.value.details["code"] == "P3009"


def test_migrations_only_the_database_has_are_told():
    plan = plan_prisma(history(row("a"), row("b")), [migration("b")])
    assert plan.details == {"missing_locally": ["a"]}
    assert plan.warnings == ("The database has migrations missing in the folder: a.",)


def test_an_edited_file_is_drift():
    assert [*plan_prisma(history(row("a")), [migration("a", "select 2")]).drift] == [
        "a/migration.sql"
    ]


@pytest.mark.parametrize("recorded", ["a\r\nb\n", "a\nb\n", "a\r\nb\r\n"])
def test_line_ends_are_no_drift(recorded):
    checksum = hashlib.sha256(recorded.encode()).hexdigest()
    assert migration("x", "a\r\nb\n").has_checksum(checksum)


def test_checksums_without_their_leading_zeros_are_known():
    number = next(n for n in range(1000) if hashlib.sha256(b"%d" % n).hexdigest()[0] == "0")
    content = b"%d" % number
    assert PrismaMigration.of("x", content).has_checksum(
        hashlib.sha256(content).hexdigest().lstrip("0")
    )


def make(folder, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "migration.sql").write_text("select 1")


def test_folders_are_read_by_name_as_text(tmp_path):
    make(tmp_path, "20250101000000_b", "202401010000_a")
    assert [found.name for found in read_folder(str(tmp_path))] == [
        "202401010000_a",
        "20250101000000_b",
    ]


def test_a_folder_without_its_script_is_refused(tmp_path):
    (tmp_path / "2025_x").mkdir()
    with pytest.raises(InputError, match="2025_x"):
        read_folder(str(tmp_path))


def test_a_concurrent_index_needs_a_migration_of_its_own():
    sql = "create index concurrently i on a (b)"
    assert list(problems_of(migration("x", f"-- why\n{sql};"))) == []
    [told] = problems_of(migration("x", f"select 1; {sql}"))
    assert "its own migration" in told


def apply(session: MemorySession, sql: str) -> None:
    table = HistoryTable(session, "public._prisma_migrations")
    retries = LockRetries(0, NoWatch(), lambda *_event: None)
    ScriptRun(session, migration("x", sql), LIMITS, retries, table).apply()


def done_but_settings(session: MemorySession) -> list[str]:
    return [each for each in session.done if not each.startswith("RESET")]


def test_a_transaction_is_committed_together_with_its_row():
    session = MemorySession()
    apply(session, "a; b")
    assert done_but_settings(session) == ["history", "a", "b", "history"]
    assert session.commits == 1


def test_a_script_that_commits_by_itself_is_recorded_before_and_after():
    session = MemorySession()
    apply(session, "begin; a; commit; b")
    assert done_but_settings(session) == ["history", "begin; a; commit; b", "history"]
    assert session.commits == 0


def test_a_failure_leaves_one_row_and_the_message_has_no_values():
    session = MemorySession(refuse="nope")
    with pytest.raises(RefusedError) as caught:
        apply(session, "insert into nope values ('secret')")
    assert done_but_settings(session) == ["history"]
    assert caught.value.details["code"] == "P3018"
    assert "secret" not in str(caught.value)


def test_the_url_is_percent_encoded_and_verifies_tls():
    target = PostgresTarget(
        host="db", user="a@b", password="p/w?", database="x y", ca_cert="/etc/ca.crt"
    )
    assert database_url(target, "public") == (
        "postgresql://a%40b:p%2Fw%3F@db:5432/x%20y?schema=public&connect_timeout=10"
        "&sslmode=require&sslaccept=strict&sslcert=%2Fetc%2Fca.crt"
    )
