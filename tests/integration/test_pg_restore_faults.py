"""Bad days of a swap. Whatever happens a database serves, the failure says which, and running it again ends well."""

import json
import os
import re
import secrets
import signal
import threading
import typing as t

import psycopg2
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._restore import databases, swap
from tests.fakes.tcp_proxy import TcpProxy
from tests.integration.module_process import ModuleProcess
from tests.integration.restoring import SPOILT, WHOLE, Restorable
from tests.integration.running import opened, stand_in
from tests.tables import cases
from tests.waiting import until


def untouched(spoilt: Restorable, result: dict[str, t.Any]) -> str:
    assert result.get("failed"), result
    assert spoilt.orders() == SPOILT
    assert list(spoilt.databases()) == [spoilt.database]
    assert result["standing"] == (
        f"Database {spoilt.database!r} serves as before and no copy is left."
    )
    assert result["msg"].endswith(result["standing"])
    return str(result["msg"])


def listing_for_real(spoilt: Restorable) -> str:
    """What is asked of the dump before anything is touched is no part of the fault."""
    return f'[ "$1" = --list ] && exec {spoilt.program("pg_restore")} "$@"\n'


@cases(("script", "words"), {
    "the-dump-ends-midway": ('head -c 9000 | {real} "$@"', "pg_restore failed on"),
    "is-killed": ("head -c 9000 >/dev/null; kill -9 $$", "exit code -9"),
    "hangs": ("exec sleep 60", "did not end within 1 s"),
    "a-row-is-missing": ('{real} --file=- | sed "/^1999\\t/d" | {psql} -Xq "$3"',
                         "public.orders has 1999 instead of 2000"),
    "restores-nothing": ("cat >/dev/null", "public.orders has no such table"),
})  # fmt: skip
def test_a_restore_that_fails_never_goes_live(spoilt, tmp_path, script, words):
    filled = listing_for_real(spoilt) + script.format(
        real=spoilt.program("pg_restore"), psql=spoilt.program("psql")
    )
    timeout = 1 if "sleep" in script else 30
    result = spoilt.restore(
        pg_restore=stand_in(tmp_path, "pg_restore", filled, version="18.6"), timeout=timeout
    )
    assert words in untouched(spoilt, result)
    assert spoilt.restore()["changed"]
    assert spoilt.orders() == WHOLE


def tamper(spoilt: Restorable, change: t.Callable[[bytes], bytes]) -> None:
    key = spoilt.restore(check=True)["backup"]["key"]
    where = {"Bucket": spoilt.options["bucket"], "Key": key}
    content = spoilt.s3().get_object(**where)["Body"].read()
    spoilt.s3().put_object(**where, Body=change(content))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda dump: dump[:-1] + bytes([dump[-1] ^ 1]), id="its-last-byte"),
        pytest.param(lambda dump: dump[:600] + bytes([dump[600] ^ 1]) + dump[601:], id="a-byte"),
    ],
)
def test_a_dump_that_was_tampered_with_never_goes_live(spoilt, change):
    tamper(spoilt, change)
    untouched(spoilt, spoilt.restore())


# Where the header of a dump has the second at which it was made: pg_restore does not care.
SECOND = 13


@pytest.mark.parametrize("method", ["swap", "in_place"])
def test_a_tampered_dump_that_restores_well_is_found_by_its_checksum(spoilt, method):
    tamper(spoilt, lambda dump: dump[:SECOND] + bytes([dump[SECOND] ^ 1]) + dump[SECOND + 1 :])
    result = spoilt.restore(method=method)
    assert "its checksum differs" in result["msg"]
    assert (spoilt.orders(), list(spoilt.databases())) == (SPOILT, [spoilt.database])


THROWN_OUT = (
    "not currently accepting connections",
    "terminating connection",
    "does not exist",
    "closed the connection",
    "closed unexpectedly",
)


def test_clients_keep_asking_and_get_the_restored_rows(spoilt):
    """Eight that connect again as soon as they are thrown out. None ever sees anything but one of the two states."""
    seen: set[str] = set()
    strange: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                with opened(spoilt.options) as session, session.cursor() as cursor:
                    while not stop.is_set():
                        cursor.execute("SELECT count(*), sum(total) FROM orders")
                        seen.add("|".join(map(str, cursor.fetchone())))
            except psycopg2.OperationalError as exc:
                if not any(known in str(exc) for known in THROWN_OUT):
                    strange.append(str(exc))

    threads = [threading.Thread(target=ask, daemon=True) for _unused in range(8)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: SPOILT in seen)
        assert spoilt.restore()["changed"]
        until(lambda: WHOLE in seen)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=10)
    assert seen == {SPOILT, WHOLE}
    assert not strange


def test_a_session_that_may_not_be_ended_is_named_and_the_old_one_serves(spoilt):
    """The owner restores; a superuser is connected, whom the owner can't throw out."""
    role, password = f"{spoilt.database}_owner", secrets.token_hex(8)
    spoilt.psql(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{password}'")
    spoilt.psql(f"ALTER DATABASE {spoilt.database} OWNER TO {role}", "template1")
    login = {
        "login_user": role,
        "login_password": password,
        "owners": "skip",
        "request": "as-owner",
    }
    holder = spoilt.start_psql("SELECT pg_sleep(60)")
    try:
        spoilt.wait_for_client("pg_sleep(60)")
        result = spoilt.restore(diff=False, **login)
        assert result["reason"] == "NotReady", result
        assert "as supabase_admin from" in result["msg"]
        untouched(spoilt, result)
    finally:
        spoilt.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{spoilt.database}'",
            "template1",
        )
        holder.communicate()
    try:
        assert spoilt.restore(diff=False, **login)["changed"]
        assert spoilt.orders() == WHOLE
    finally:
        for name in spoilt.databases():
            spoilt.psql(f"ALTER DATABASE {name} OWNER TO postgres", "template1")
        for name in spoilt.databases():
            spoilt.psql(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}", name)
        spoilt.psql(f"DROP ROLE {role}", "template1")


def test_two_at_once_restore_once(spoilt):
    runs = [ModuleProcess("pg_restore", spoilt.options) for _unused in range(2)]
    results = [run.result() for run in runs]
    assert sorted(one["changed"] for one in results) == [False, True]
    assert spoilt.orders() == WHOLE
    assert len(spoilt.databases()) == 2


def die(*_arguments: t.Any, **_more: t.Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(real: t.Callable[..., None]) -> t.Callable[..., None]:
    def call(*arguments: t.Any, **more: t.Any) -> None:
        real(*arguments, **more)
        die()

    return call


def restored_by_a_fork(spoilt: Restorable, prepare: t.Callable[[], None], **more: t.Any) -> int:
    """The process of a restore that dies on its way; a fork costs less than a new Python."""
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            spoilt.restore(**more)
        finally:
            os._exit(0)
    return pid


@cases(
    ("owner", "name", "function", "stands", "changed"),
    {
        "when-it-is-born": (databases, "transaction", die, SPOILT, True),
        "when-marked": (databases, "create", dying_after(databases.create), SPOILT, True),
        "when-restored": (swap, "inspect", die, SPOILT, True),
        "when-closed": (swap, "_sessions_end", die, None, True),
        "when-sessions-are-ended": (swap, "_rename", die, None, True),
        "before-the-commit": (databases, "dress", dying_after(databases.dress), None, True),
        "after-the-commit": (swap, "_rename", dying_after(swap._rename), WHOLE, False),
    },
)
def test_killed_anywhere_and_run_again_it_ends_as_if_undisturbed(
    spoilt, owner, name, function, stands, changed
):
    """`stands`: what the live database shows in between; None when it is closed until the rerun."""
    pid = restored_by_a_fork(spoilt, lambda: setattr(owner, name, function))
    _pid, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    if stands:
        assert spoilt.orders() == stands
    assert spoilt.restore(check=True)["changed"] == changed
    assert spoilt.restore()["changed"] == changed
    assert spoilt.orders() == WHOLE
    live, kept = spoilt.databases()
    assert (live, spoilt.orders(kept)) == (spoilt.database, SPOILT)
    assert not spoilt.restore()["changed"]


def test_what_a_killed_run_has_closed_serves_while_it_is_restored_again(spoilt, monkeypatch):
    pid = restored_by_a_fork(spoilt, lambda: setattr(swap, "_sessions_end", die))
    os.waitpid(pid, 0)
    served: list[str] = []

    def look(*arguments: t.Any) -> dict[str, int]:
        served.append(spoilt.orders())
        return inspect(*arguments)

    inspect = swap.inspect
    monkeypatch.setattr(swap, "inspect", look)
    assert spoilt.restore()["changed"]
    assert (served, spoilt.orders()) == ([SPOILT], WHOLE)


@pytest.mark.parametrize("method", ["swap", "in_place"])
def test_killed_while_rows_stream_it_ends_as_if_undisturbed(spoilt, tmp_path, method):
    began = tmp_path / "began"
    script = (
        '[ "$1" = --list ] && exec {0} "$@"; (head -c 9000; touch {1}; sleep 1; cat) | {0} "$@"'
    )
    slow = stand_in(
        tmp_path, "pg_restore", script.format(spoilt.program("pg_restore"), began), version="18.6"
    )
    pid = restored_by_a_fork(spoilt, lambda: None, pg_restore=slow, method=method)
    until(began.exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert spoilt.orders() == SPOILT
    assert spoilt.restore(method=method)["changed"]
    assert spoilt.orders() == WHOLE
    assert len(spoilt.databases()) == (2 if method == "swap" else 1)


def test_a_database_that_others_closed_is_opened_by_what_is_printed(spoilt):
    spoilt.psql(f"ALTER DATABASE {spoilt.database} ALLOW_CONNECTIONS false", "template1")
    result = spoilt.restore()
    assert result["reason"] == "Conflict"
    assert "not by our restore" in result["msg"]
    (cure,) = re.findall(r"ALTER DATABASE … \w+ true", result["msg"])
    spoilt.psql(cure.replace("…", spoilt.database), "template1")
    assert spoilt.restore()["changed"]


def test_the_password_is_in_no_ones_arguments(spoilt, tmp_path):
    log = tmp_path / "log"
    spies = {
        name: stand_in(tmp_path, name, f'echo "$0 $@" >> {log}\nexec {spoilt.program(name)} "$@"')
        for name in ("pg_restore", "psql")
    }
    for method in ("swap", "in_place"):
        result = spoilt.restore(method=method, request=method, **spies)
        assert result["changed"]
        assert spoilt.options["login_password"] not in json.dumps(result)
    assert "psql" in log.read_text()
    for secret in ("login_password", "secret_key"):
        assert spoilt.options[secret] not in log.read_text()


def test_a_connection_lost_at_the_switch_leaves_the_old_one_serving(spoilt, monkeypatch):
    """Lost when the live database is closed already; it is opened over a new connection."""
    with TcpProxy(spoilt.options["login_host"], spoilt.options["login_port"]) as proxy:

        def lose(*_arguments: t.Any) -> None:
            proxy.refusing = True
            proxy.cut()
            threading.Timer(0.5, setattr, (proxy, "refusing", False)).start()

        with monkeypatch.context() as patch:
            patch.setattr(swap, "_sessions_end", lose)
            result = spoilt.restore(login_port=proxy.port)
    assert result["reason"] == "Unreachable"
    untouched(spoilt, result)
    assert spoilt.restore()["changed"]
    assert spoilt.orders() == WHOLE
