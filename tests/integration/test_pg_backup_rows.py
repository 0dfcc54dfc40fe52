"""The row counts of a manifest: of just the tables in the dump, and of just its snapshot."""

import secrets
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _postgres
from ansible_collections.easymo.deploy.plugins.module_utils._backup import tables
from ansible_collections.easymo.deploy.plugins.modules import pg_backup
from tests.integration.backups import backup_options
from tests.integration.running import client, connection, opened, query, scratch_database, stand_in
from tests.module_runner import run_module
from tests.tables import cases


@pytest.fixture
def options(world) -> t.Iterator[dict[str, t.Any]]:
    """Of an empty database."""
    with scratch_database(world) as database:
        yield backup_options(world, database)


def test_what_is_written_after_the_snapshot_is_in_neither_the_dump_nor_the_counts(
    world, options, tmp_path
):
    """A pg_dump that adds rows before it begins, when the snapshot has been taken already."""
    query(options, "CREATE TABLE orders AS SELECT generate_series(1, 10) AS id")
    psql = Path(options["pg_dump"]).with_name("psql")
    late = f"{psql} -qc 'INSERT INTO orders SELECT generate_series(11, 15)' >&2 || exit 9"
    script = f'case "$*" in *--snapshot=*) {late};; esac\nexec {options["pg_dump"]} "$@"'
    pg_dump = stand_in(tmp_path, "pg_dump", script)
    backup = run_module(pg_backup, **{**options, "pg_dump": pg_dump})["backup"]
    assert backup["rows"] == {"public.orders": 10}
    assert len(dumped(options, backup["key"], "orders")) == 10
    assert query(options, "SELECT count(*) FROM orders") == [(15,)]


def dumped(options: dict[str, t.Any], key: str, table: str) -> list[bytes]:
    """The rows that pg_restore finds in the object."""
    body = client(options).get_object(Bucket=options["bucket"], Key=key)["Body"].read()
    argv = [options["pg_restore"], "--data-only", f"--table={table}", "--file=-"]
    script = subprocess.run(argv, input=body, capture_output=True, check=True).stdout
    return script.partition(b"FROM stdin;\n")[2].partition(b"\\.")[0].splitlines()


def test_a_dump_of_other_tables_than_were_counted_is_no_backup(options, tmp_path):
    query(options, "CREATE TABLE orders (id int); CREATE TABLE payments (id int)")
    less = '$([ "$1" = --version ] || echo --exclude-table-data=payments)'
    partial = stand_in(tmp_path, "pg_dump", f'exec {options["pg_dump"]} "$@" {less}')
    result = run_module(pg_backup, **{**options, "pg_dump": partial})
    assert (result["failed"], result["reason"]) == (True, "VerificationFailed")
    assert "public.payments is in one of them only" in result["msg"]


@pytest.fixture
def reader(world) -> t.Iterator[dict[str, t.Any]]:
    """The options of a user who owns nothing."""
    name = f"reader_{secrets.token_hex(4)}"
    password = secrets.token_hex(8)
    query(connection(world), f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    yield {"login_user": name, "login_password": password}
    query(connection(world), f"DROP ROLE {name}")


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
@cases(
    ("setup", "words"),
    {
        "not-granted": ("GRANT SELECT ON orders TO {user}", "may not read public.secrets"),
        "row-security": (
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}; "
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "Row security hides rows of public.orders",
        ),
    },
)
def test_a_table_that_cannot_be_read_whole_is_refused_before_the_dump(
    options, reader, setup, words, check
):
    query(options, "CREATE TABLE orders (id int); CREATE TABLE secrets (id int)")
    query(options, setup.format(user=reader["login_user"]))
    try:
        result = run_module(pg_backup, check=check, **{**options, **reader})
    finally:
        query(options, f"DROP OWNED BY {reader['login_user']}")
    assert (result["failed"], result["reason"]) == (True, "Refused")
    assert words in result["msg"]


def test_a_locked_table_is_waited_for_no_longer_than_asked(options):
    query(options, "CREATE TABLE orders (id int)")
    with opened(options) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        result = run_module(pg_backup, **{**options, "lock_timeout": 1})
    assert (result["failed"], result["reason"]) == (True, "Refused")
    assert "'lock_timeout'" in result["msg"]


def test_no_table_can_be_emptied_between_the_snapshot_and_the_dump(options):
    query(options, "CREATE TABLE orders AS SELECT generate_series(1, 10) AS id")
    target = _postgres.PostgresTarget.from_params(
        {"ssl_mode": "verify-full", "connect_timeout": 10, **options}
    )
    with (
        tables.exported_snapshot(target, lock_timeout=1),
        pytest.raises(Exception, match="lock timeout"),
    ):
        query(options, "SET lock_timeout = 200; TRUNCATE orders")


def test_an_empty_database_has_no_counts(options):
    assert run_module(pg_backup, **options)["backup"]["rows"] == {}
