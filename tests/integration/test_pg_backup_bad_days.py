"""S3 and PostgreSQL on their bad days: a backup that is whole, or a sentence and nothing left."""

import threading
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _s3
from ansible_collections.easymo.deploy.plugins.module_utils._backup import apply
from ansible_collections.easymo.deploy.plugins.modules import pg_backup
from tests.fakes.tcp_proxy import HOST, Answer, Hook, TcpProxy, cut_after, passing
from tests.integration.backups import keys, nothing_is_left, s3_through, unfinished
from tests.module_runner import Result, run_module

FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
)
# As S3 answers to a session token of STS that has ended: docs.aws.amazon.com, Error responses, ExpiredToken.
EXPIRED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
)


def refusing(begins: bytes, has: bytes) -> Hook:
    def hook(chunk: bytes) -> bytes:
        first = chunk.partition(b"\r\n")[0]
        if first.startswith(begins) and has in first:
            raise Answer(FORBIDDEN)
        return chunk

    return hook


def backed_up(
    options: dict[str, t.Any], *, up: Hook = passing, down: Hook = passing, **more: t.Any
) -> Result:
    """What came of a backup whose way to S3 the hooks spoil."""
    with s3_through(options) as (proxy, through):
        proxy.up, proxy.down = up, down
        return run_module(pg_backup, **through, **more)


@pytest.mark.parametrize(
    ("begins", "has"),
    [
        pytest.param(b"POST", b"uploads", id="the-upload"),
        pytest.param(b"PUT", b"partNumber=2", id="a-part"),
        pytest.param(b"POST", b"uploadId=", id="the-completion"),
        pytest.param(b"GET", b".dump ", id="reading-back"),
        pytest.param(b"PUT", b".manifest.json", id="the-manifest"),
    ],
)
def test_what_s3_refuses_is_told_and_nothing_is_left(options, begins, has):
    result = backed_up(options, up=refusing(begins, has))
    assert (result["failed"], result["reason"]) == (True, "Refused")
    assert "refused access" in result["msg"]
    assert nothing_is_left(options)


def test_who_may_not_delete_learns_what_is_left(options, monkeypatch):
    monkeypatch.setattr(apply, "run_cleanup", lambda *_arguments: None)
    refuse_manifest, refuse_delete = refusing(b"PUT", b".manifest"), refusing(b"DELETE", b"")
    result = backed_up(options, up=lambda chunk: refuse_manifest(refuse_delete(chunk)))
    assert result["reason"] == "Refused"
    left = keys(options)
    assert [key for key in left if key in result["left_behind"]] == left != []


def test_a_session_token_that_ends_midway_is_told_with_what_it_could_not_remove(
    options, monkeypatch
):
    # The process that cleans up would insist for minutes at a proxy that this test has closed.
    monkeypatch.setattr(apply, "run_cleanup", lambda *_arguments: None)
    ended = threading.Event()

    def hook(chunk: bytes) -> bytes:
        first = chunk.partition(b"\r\n")[0]
        if b"partNumber=2" in first:
            ended.set()
        if ended.is_set() and b" HTTP/1.1" in first:
            raise Answer(EXPIRED)
        return chunk

    result = backed_up(options, up=hook)
    assert (result["failed"], result["reason"]) == (True, "Refused")
    assert "(ExpiredToken): log in again or renew the session token" in result["msg"]
    (upload,) = unfinished(options)
    assert f"Perhaps parts of {upload}" in result["left_behind"]
    assert run_module(pg_backup, **options)["changed"], "with a new token it is simply run again"


def test_an_s3_that_falls_silent_is_given_up_in_one_sentence(options, monkeypatch):
    monkeypatch.setattr(_s3, "_ATTEMPTS", 2)
    silent = threading.Event()

    def hook(chunk: bytes) -> bytes:
        if b"partNumber=" in chunk.partition(b"\r\n")[0]:
            silent.wait(30)
        return chunk

    with s3_through(options) as (proxy, through):
        proxy.up = hook
        result = run_module(pg_backup, **through, timeout=2)
        silent.set()
    # On a busy machine the dump itself may be the first to be out of time.
    assert result["failed"]
    assert result["reason"] in ("Unreachable", "NotReady")
    assert "\n" not in result["msg"]
    assert nothing_is_left(options)


def test_a_connection_that_dies_within_a_part_is_repeated(options):
    assert backed_up(options, up=cut_after(3_000_000))["changed"]


def test_a_connection_that_dies_while_reading_back_is_taken_up_where_it_was(options):
    result = backed_up(options, down=cut_after(5_000_000))
    assert result["changed"]
    assert result["backup"]["size"] > 8_000_000


def test_one_bit_that_comes_back_otherwise_is_no_backup(options):
    passed = 0

    def flip(chunk: bytes) -> bytes:
        nonlocal passed
        passed += len(chunk)
        if 5_000_000 < passed <= 5_000_000 + len(chunk):
            return chunk[:-1] + bytes([chunk[-1] ^ 1])
        return chunk

    result = backed_up(options, down=flip)
    assert (result["failed"], result["reason"]) == (True, "VerificationFailed")
    assert "SHA-256" in result["msg"]
    assert nothing_is_left(options)


def test_a_database_that_is_lost_in_the_middle_leaves_nothing(options):
    with TcpProxy(options["login_host"], options["login_port"]) as proxy:
        proxy.down = cut_after(4_000_000, times=1_000)
        result = run_module(pg_backup, **{**options, "login_host": HOST, "login_port": proxy.port})
    assert result["failed"]
    assert result["reason"] in ("Refused", "Unreachable")
    assert options["login_password"] not in str(result)
    assert nothing_is_left(options)


def test_connections_that_always_die_are_given_up(options, monkeypatch):
    monkeypatch.setattr(_s3, "_ATTEMPTS", 2)
    result = backed_up(options, up=cut_after(3_000_000, times=1_000))
    assert (result["failed"], result["reason"]) == (True, "Unreachable")
    assert nothing_is_left(options)
