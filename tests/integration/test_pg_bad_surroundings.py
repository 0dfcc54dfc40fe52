"""What a server, a role or a pooler may have set against backups and restores: one sentence, or no effect at all."""

import itertools
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest

from tests.integration.pg_place import Place
from tests.integration.pgbouncer import pooler

METHODS = ("scratch", "swap", "in_place")


@pytest.fixture
def place(world) -> t.Iterator[Place]:
    made = Place(world)
    made.server.query("CREATE TABLE orders AS SELECT generate_series(1, 100) AS id")
    yield made
    made.server.stop()


def where(method: str) -> dict[str, str]:
    """The options that go with it; each restore is a request of its own."""
    database = "look" if method == "scratch" else "postgres"
    return {
        "method": method,
        "login_db": database,
        "maintenance_db": "template1",
        "request": method,
    }


def test_timeouts_of_a_role_are_not_those_of_a_backup_or_a_restore(place):
    """A statement of the restore sleeps longer than the role may, and sessions idle longer."""
    place.server.query(
        "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        " 'BEGIN PERFORM pg_sleep(0.3); RETURN n; END';"
        "CREATE TABLE one AS SELECT 1 AS id; CREATE INDEX ON one (slow(id));"
    )
    for name in (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "transaction_timeout",
    ):
        place.server.query(f"ALTER ROLE postgres SET {name} = '100ms'")
    assert place.backup().get("changed")
    for method in METHODS:
        done = place.restore(**where(method))
        assert done.get("changed"), done


def test_a_server_that_lets_nothing_be_written_is_called_so(place):
    assert place.backup().get("changed")
    place.server.query("ALTER ROLE postgres SET default_transaction_read_only = on")
    for method, check in itertools.product(METHODS, (True, False)):
        result = place.restore(check=check, **where(method))
        assert "default_transaction_read_only" in result["msg"]
        assert result["msg"].endswith("Nothing was touched.")


def test_a_standby_is_backed_up_and_never_restored(place):
    place.server.query("CREATE UNLOGGED TABLE fleeting (id int)")
    with place.server.standby() as port:
        backup = place.backup(login_port=port)
        assert backup["backup"]["rows"] == {"public.orders": 100}, backup
        result = place.restore(login_port=port)
    assert "is a standby, which only its primary writes to" in result["msg"]
    assert result["msg"].endswith("Nothing was touched.")


def test_a_pooler_that_shares_sessions_is_refused(place):
    assert place.backup().get("changed")
    results = []
    for mode in ("transaction", "statement"):
        with pooler(place.server.options["login_port"], mode) as port:
            results.append(place.backup(login_port=port, release="2.0.1"))
            results += [place.restore(**where(method), login_port=port) for method in METHODS]
    for result in results:
        assert (result["failed"], result["reason"]) == (True, "Refused"), result
        assert "is behind a pooler in transaction mode" in result["msg"]
        assert result["msg"].endswith("Nothing was touched.")


def test_a_pooler_that_gives_whole_sessions_is_fine(place):
    with pooler(place.server.options["login_port"], "session") as port:
        assert place.backup(login_port=port).get("changed")
        done = place.restore(login_port=port)
    assert done.get("changed"), done


def test_an_extension_that_the_server_lacks_is_missed_beforehand(place):
    """The server that was backed up has it in a folder of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="extensions-"))
    (folder / "extension").mkdir()
    for one in (folder, folder / "extension"):
        one.chmod(0o755)
    (folder / "extension" / "rare.control").write_text("default_version = '1.0'\n")
    (folder / "extension" / "rare--1.0.sql").write_text("CREATE TABLE rare (id int);")
    place.server.query(
        f"SET extension_control_path = '{folder}:$system'; CREATE EXTENSION rare;"
        "CREATE EXTENSION pg_trgm"
    )
    shutil.rmtree(folder)
    assert place.backup().get("changed")
    for method, check in itertools.product(METHODS, (True, False)):
        result = place.restore(check=check, **where(method))
        assert (result["failed"], result["reason"]) == (True, "Refused"), result
        assert "lacks: rare: install" in result["msg"]
    assert place.server.query("SELECT count(*) FROM orders, rare") == [(0,)]
    assert place.server.query("SELECT count(*) FROM pg_database") == [(3,)]
