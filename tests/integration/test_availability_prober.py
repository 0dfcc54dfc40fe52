"""The prober asks real servers, and some of them are not well."""

import errno
import socket
import ssl
import threading
import time
import typing as t
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    Measured,
    Target,
    start,
)
from ansible_collections.easymo.deploy.plugins.module_utils._availability.prober import (
    Address,
    Prober,
)
from sandbox.world import free_port
from tests.fakes.http_server import Handler, serving
from tests.tables import cases
from tests.waiting import until

TOKEN = "a-verify-token"
EVERY = 0.05


class Platform(Handler):
    """/ok answers, /hangs never does, /drips a byte now and then, /hook echoes a challenge."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/hook":
            known = query.get("hub.verify_token") == TOKEN and query["hub.mode"] == "subscribe"
            self.answer(200 if known else 403, query["hub.challenge"].encode())
        elif parts.path == "/hangs":
            self.rfile.read(1)  # until the other side goes
        elif parts.path == "/drips":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            with suppress(OSError):
                for _ in range(1000):
                    time.sleep(0.1)
                    self.wfile.write(b"x")
        elif parts.path == "/closes":
            self.answer()
            # Without a word about it, as a server does that is replaced.
            self.close_connection = True
        else:
            self.answer(int(parts.path.removeprefix("/status/") or 200))


@contextmanager
def probing(url: str) -> t.Iterator[Prober]:
    """Asks it EVERY so many seconds, in a thread, while the block goes on."""
    state = start(Measured(attempt=1, interval=EVERY), "a")
    prober = Prober({"a": Address(Target("a", url))}, {}, state, interval=EVERY, timeout=60)
    thread = threading.Thread(target=prober.run, args=(lambda: False,))
    thread.start()
    try:
        yield prober
    finally:
        prober.stop()
        thread.join()


def probes(prober: Prober) -> int:
    asked = prober.state.measured.targets.get("a")
    return asked.probes if asked else 0


@pytest.mark.parametrize("trouble", ["hangs", "drips"])
def test_an_address_that_hangs_has_no_answer_in_time(trouble):
    with serving(Platform) as url:
        assert Address(Target("bad", f"{url}/{trouble}")).ask(0.4) == "no answer within 0.4 s"


def test_a_machine_without_threads_to_spare_goes_on_asking(monkeypatch):
    refused = threading.Event()
    with serving(Platform) as url, probing(f"{url}/status/200") as prober:
        until(lambda: probes(prober) > 0)

        def refuse() -> None:
            refused.set()
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as without:
            without.setattr(prober._threads, "_adjust_thread_count", refuse)
            assert refused.wait(60)
        asked = probes(prober)
        until(lambda: probes(prober) > asked + 1)


def test_a_connection_that_is_closed_between_two_probes_is_no_failure():
    with serving(Platform) as url, probing(f"{url}/closes") as prober:
        until(lambda: probes(prober) > 5)
    found = prober.state.measured.targets["a"]
    assert (found.failures, found.last_problem) == (0, "")


def test_a_status_that_is_no_success_is_a_failure():
    for status, problem in (
        (204, ""),
        (302, "status 302"),
        (404, "status 404"),
        (503, "status 503"),
    ):
        with serving(Platform) as url:
            assert Address(Target("a", f"{url}/status/{status}")).ask(60) == problem


@cases(
    ("token", "path", "problem"),
    {
        "echoed": (TOKEN, "/hook", ""),
        "refused": ("another", "/hook", "status 403"),
        "not echoed": (TOKEN, "/status/200", "the challenge was not echoed"),
    },
)
def test_a_webhook_has_to_echo_the_challenge(token, path, problem):
    with serving(Platform) as url:
        address = Address(Target("hook", f"{url}{path}", verify_token=token))
        assert [address.ask(60), address.ask(60)] == [problem, problem]
    assert TOKEN not in repr(Target("hook", url, verify_token=TOKEN))


@pytest.fixture
def lost(monkeypatch) -> set[int]:
    """Ports that this machine cannot reach: what a network that is gone says at once of every new connection."""
    ports: set[int] = set()
    connect = socket.create_connection

    def without(address: tuple[str, int], *more: t.Any, **named: t.Any) -> socket.socket:
        if address[1] in ports:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return connect(address, *more, **named)

    monkeypatch.setattr(socket, "create_connection", without)
    # Every question is a new connection.
    monkeypatch.setattr(Platform, "protocol_version", "HTTP/1.0")
    return ports


def test_a_certificate_that_nobody_trusts_is_a_failure(tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with serving(Platform, context) as url:
        told = Address(Target("a", f"{url}/status/200")).ask(60)
        assert told.startswith("its certificate is not trusted: ")
        known = Address(Target("a", f"{url}/status/200", ca_cert=str(trusted)))
        assert [known.ask(60), known.ask(60)] == ["", ""]


def test_an_address_that_nobody_knows_or_listens_at_says_so(lost):
    port = free_port()
    assert Address(Target("a", f"http://127.0.0.1:{port}/")).ask(60) == "connection refused"
    assert Address(Target("a", "http://nowhere.invalid/")).ask(60) == "its name is not known"
    lost.add(port)
    assert Address(Target("a", f"http://127.0.0.1:{port}/")).ask(60) == "network is unreachable"
