"""The prober asks real servers, and some of them are not well."""

import errno
import socket
import ssl
import threading
import time
import typing as t
from contextlib import ExitStack, contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    NOT_SEEN,
    STOOD_STILL,
    Measured,
    Target,
    at,
    start,
)
from ansible_collections.easymo.deploy.plugins.module_utils._availability.prober import (
    MOST_WAITING,
    Address,
    Door,
    Prober,
)
from tests.fakes.http_server import Handler, serving
from tests.tables import cases

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
            time.sleep(3)
        elif parts.path == "/drips":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(30):
                time.sleep(0.1)
                self.wfile.write(b"x")
        elif parts.path == "/closes":
            self.answer()
            # Without a word about it, as a server does that is replaced.
            self.close_connection = True
        else:
            self.answer(int(parts.path.removeprefix("/status/") or 200))


@contextmanager
def probing(
    urls: t.Mapping[str, str], controls: t.Sequence[str] = (), timeout: float = 0.4
) -> t.Iterator[Prober]:
    """Asks them EVERY so many seconds, in a thread, while the block goes on."""
    addresses = {name: Address(Target(name, url)) for name, url in urls.items()}
    doors = {url: Door(url) for url in controls}
    state = start(Measured(attempt=1, interval=EVERY), (*addresses, *doors))
    prober = Prober(addresses, doors, state, interval=EVERY, timeout=timeout)
    thread = threading.Thread(target=prober.run, args=(lambda: False,))
    thread.start()
    try:
        yield prober
    finally:
        prober.stop()
        thread.join()


def measured(prober: Prober) -> Measured:
    return at(prober.state, prober.state.measured.until or 0)


@pytest.mark.parametrize("trouble", ["hangs", "drips"])
def test_an_address_that_hangs_fails_and_slows_no_other(trouble):
    with serving(Platform) as url:
        names = dict.fromkeys(("a", "b", "c"), f"{url}/status/200")
        with probing({**names, "bad": f"{url}/{trouble}"}) as prober:
            time.sleep(3)
    found = measured(prober).targets
    assert found["bad"].failures == found["bad"].probes > 10
    assert found["bad"].last_problem == "no answer within 0.4 s"
    for name in names:
        assert found[name].failures == 0
        # As many as it would be without the other, on a machine that has something else to do too.
        assert found[name].probes > 25
    assert measured(prober).downtime > 1.5


def test_many_that_hang_are_asked_no_more_than_so_many_times_at_once():
    """Else a platform that is busy would be busier by each question that it cannot answer."""
    before = threading.active_count()
    with serving(Platform) as url:
        urls = {f"bad-{number}": f"{url}/hangs" for number in range(4)}
        with probing({**urls, "good": f"{url}/status/200"}, timeout=2.5) as prober:
            time.sleep(2)
            # Two for each question, ours and the server's.
            assert threading.active_count() - before < 2 * MOST_WAITING * len(urls) + 5
            time.sleep(2)
    found = measured(prober).targets
    assert found.pop("good").failures == 0
    assert {one.failures for one in found.values()} == {MOST_WAITING}


def test_a_machine_without_threads_to_spare_goes_on_asking(monkeypatch):
    with serving(Platform) as url, probing({"a": f"{url}/status/200"}) as prober:
        time.sleep(0.3)
        monkeypatch.setattr(prober._threads, "_idle_semaphore", threading.Semaphore(0))
        start_thread = threading.Thread.start

        def refuse(self: threading.Thread) -> None:
            if self.name.startswith("ThreadPoolExecutor"):
                raise RuntimeError("can't start new thread")
            start_thread(self)

        monkeypatch.setattr(threading.Thread, "start", refuse)
        time.sleep(0.5)
        monkeypatch.setattr(threading.Thread, "start", start_thread)
        asked = measured(prober).targets["a"].probes
        time.sleep(0.5)
    assert measured(prober).targets["a"].probes > asked


def test_a_connection_that_is_closed_between_two_probes_is_no_failure():
    with serving(Platform) as url, probing({"a": f"{url}/closes"}) as prober:
        time.sleep(1)
    found = measured(prober).targets["a"]
    assert (found.failures, found.last_problem) == (0, "")
    assert found.probes > 5


def test_a_status_that_is_no_success_is_a_failure():
    for status, problem in (
        (204, ""),
        (302, "status 302"),
        (404, "status 404"),
        (503, "status 503"),
    ):
        with serving(Platform) as url:
            assert Address(Target("a", f"{url}/status/{status}")).ask(3) == problem


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
        assert [address.ask(3), address.ask(3)] == [problem, problem]
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


def test_what_this_machine_did_not_see_is_no_downtime(lost):
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving(Platform)) for name in ("a", "b", "api", "far")}
        targets = {name: f"{urls[name]}/status/200" for name in ("a", "b")}
        with probing(targets, [urls["api"], urls["far"]]) as prober:
            time.sleep(0.5)
            lost |= {urlsplit(url).port or 0 for url in urls.values()}
            time.sleep(1.5)
            lost.clear()
            time.sleep(0.7)
    found = measured(prober)
    assert sum(one.failures for one in found.targets.values()) == found.downtime == 0
    (gap,) = found.gaps
    assert gap.why == NOT_SEEN
    assert 1 < gap.end - gap.start < 3


def test_a_certificate_that_nobody_trusts_is_a_failure(tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with serving(Platform, context) as url:
        told = Address(Target("a", f"{url}/status/200")).ask(3)
        assert told.startswith("its certificate is not trusted: ")
        known = Address(Target("a", f"{url}/status/200", ca_cert=str(trusted)))
        assert [known.ask(3), known.ask(3)] == ["", ""]


def test_a_clock_that_jumps_as_after_a_sleep_leaves_a_gap():
    ahead = [0.0]
    with serving(Platform) as url:
        address = {"a": Address(Target("a", f"{url}/status/200"))}
        state = start(Measured(attempt=1, interval=EVERY), address)
        prober = Prober(
            address, {}, state, interval=EVERY, timeout=1, wall=lambda: time.time() + ahead[0]
        )
        thread = threading.Thread(target=prober.run, args=(lambda: False,))
        thread.start()
        time.sleep(0.3)
        ahead[0] = 600
        time.sleep(0.3)
        prober.stop()
        thread.join()
    (gap,) = measured(prober).gaps
    assert (gap.why, round(gap.end - gap.start, -1)) == (STOOD_STILL, 600)


def test_an_address_that_nobody_knows_or_listens_at_says_so(lost):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert Address(Target("a", f"http://127.0.0.1:{port}/")).ask(3) == "connection refused"
    assert Address(Target("a", "http://nowhere.invalid/")).ask(3) == "its name is not known"
    lost.add(port)
    assert Address(Target("a", f"http://127.0.0.1:{port}/")).ask(3) == "network is unreachable"
