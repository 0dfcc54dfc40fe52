"""Every client over a real server, on a machine whose ~/.netrc has a password for it."""

import contextlib
import json
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    AlertsApi,
    MonitoringServer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks import health, web
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import CheckError
from ansible_collections.easymo.deploy.plugins.module_utils._checks.payment import HttpWallets
from ansible_collections.easymo.deploy.plugins.module_utils._checks.webhook import to_webhook
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    SupabaseFunctionsApi,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.probe import (
    FunctionProbe,
    call,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import Prometheus
from ansible_collections.easymo.deploy.plugins.module_utils._http import (
    Answer,
    NoAnswerError,
    Repeat,
    ask,
    good,
    pooled,
    send,
    without_query,
)
from ansible_collections.easymo.deploy.plugins.module_utils._images import HttpRegistry, Reference
from ansible_collections.easymo.deploy.plugins.module_utils._messages.apply import ask_json
from ansible_collections.easymo.deploy.plugins.module_utils._time import Deadline
from ansible_collections.easymo.deploy.plugins.modules.maintenance_banner import call_api
from tests.fakes.http_server import Handler, serving

OURS = "Bearer our-own-token"
TOKEN = OURS.removeprefix("Bearer ")


class Server:
    """Answers everything alike, and keeps what each request was authorized with."""

    url: str
    status = 200
    body = b"{}"
    location = ""
    retry_after = ""

    def __init__(self) -> None:
        self.seen: list[str | None] = []


@pytest.fixture
def server() -> t.Iterator[Server]:
    kept = Server()

    class Alike(Handler):
        def do_GET(self) -> None:
            kept.seen.append(self.headers["Authorization"])
            self.body()
            told = {"Location": kept.location, "Retry-After": kept.retry_after}
            self.answer(kept.status, kept.body, {name: one for name, one in told.items() if one})

        do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    with serving(Alike) as kept.url:
        yield kept


@pytest.fixture(params=["~/.netrc", "$NETRC"])
def netrc(request, tmp_path, monkeypatch) -> None:
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    file.chmod(0o600)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv(
        *(("HOME", str(tmp_path)) if request.param[0] == "~" else ("NETRC", str(file)))
    )


def check(url: str, **more: t.Any) -> None:
    given = {
        "method": "GET",
        "body": None,
        "headers": {},
        "ca_cert": None,
        "status": [200],
        "text": "",
        "json": {},
        "holds": [],
    }
    health.probe_http({**given, "url": url, **more}, 20)


def management(url: str) -> SupabaseFunctionsApi:
    given = {"api_url": url, "project_ref": "x", "access_token": TOKEN}
    return SupabaseFunctionsApi({**given, "ca_cert": None, "request_timeout": 20})


def registry(url: str) -> HttpRegistry:
    options = {"registry": url, "username": "", "password": "", "ca_cert": None}
    return HttpRegistry(options, timeout=20, deadline=Deadline(0))


def monitoring(url: str, token: str = "") -> MonitoringServer:
    return MonitoringServer.from_params({"url": url, "token": token})


def service(url: str, **more: str) -> object:
    return ask_json(dict, "It", url, Deadline(20), **{"ca_cert": None, **more}, method="POST")


def webhook(url: str, **headers: str) -> object:
    options = {"url": url, "ca_cert": None, "request_timeout": 20}
    return to_webhook(options)(method="GET", headers=headers)


def wallet(url: str) -> object:
    form = {"wallet_path": "/{number}", "key_header": "Key", "balance": "balance"}
    options = {"api_url": url, "number": "1", "form": form, "token": None, "ca_cert": None}
    return HttpWallets({**options, "request_timeout": 20}).balance()


WITH_TOKEN: dict[str, t.Callable[[str], object]] = {
    "alerts": lambda url: AlertsApi(
        MonitoringServer(), monitoring(url, TOKEN), timeout=20
    ).silences(),
    "banner": lambda url: call_api(
        "It", {"url": url, "token": TOKEN, "ca_cert": None}, Deadline(20), "DELETE"
    ),
    "health check with a header": lambda url: check(url, headers={"Authorization": OURS}),
    "management api": lambda url: management(url).call("GET", "/functions", "the functions"),
    "prometheus": lambda url: Prometheus(monitoring(url, TOKEN), 20).sample("up"),
    "preflight": lambda url: web.get_json("CI", url, timeout=20, authorization=OURS),
    "log of the functions": lambda url: management(url).lines(["a"]),
    "status page and pager": lambda url: service(url, authorization=OURS),
    "webhook with a header": lambda url: webhook(url, Authorization=OURS),
}
WITHOUT: dict[str, t.Callable[[str], object]] = {
    "alerts": lambda url: AlertsApi(MonitoringServer(), monitoring(url), timeout=20).silences(),
    "functions": lambda url: call(
        FunctionProbe("wa-webhook"), {"functions_url": url, "ca_cert": None}, 20
    ),
    "health check": check,
    "prometheus": lambda url: Prometheus(monitoring(url), 20).sample("up"),
    "preflight": lambda url: web.get_json("CI", url, timeout=20),
    "registry": lambda url: registry(url).digest(Reference.parse("easymo/app:v1")),
    "status page and pager": service,
    "wallet": wallet,
    "webhook": webhook,
}


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("client", WITH_TOKEN)
def test_our_token_goes_along_whatever_a_netrc_says(client, server):
    with contextlib.suppress(DeployError):
        WITH_TOKEN[client](server.url)
    assert set(server.seen) == {OURS}


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("client", WITHOUT)
def test_a_password_of_this_machine_goes_to_nobody(client, server):
    with contextlib.suppress(DeployError):
        WITHOUT[client](server.url)
    assert set(server.seen) == {None}


@pytest.mark.usefixtures("netrc")
def test_a_login_in_the_url_is_used(server):
    url = server.url.replace("://", "://bob:hunter2@")
    send("GET", url, timeout=20)
    assert server.seen == ["Basic Ym9iOmh1bnRlcjI="]


@pytest.mark.usefixtures("netrc")
def test_nobody_is_sent_elsewhere(server):
    server.status, server.location = 302, f"{server.url}/elsewhere"
    for client in WITH_TOKEN.values():
        server.seen.clear()
        with contextlib.suppress(DeployError):
            client(server.url)
        assert server.seen == [OURS]


def test_our_authorities_are_asked_whatever_the_environment_names(server, monkeypatch, tmp_path):
    """requests would take REQUESTS_CA_BUNDLE in the place of a session's own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    own = tmp_path / "own.pem"
    own.write_text("", "utf-8")
    with pytest.raises(NoAnswerError, match=r"missing"):
        send("GET", server.url.replace("http", "https"), timeout=20)
    with pytest.raises(NoAnswerError, match=r"own|SSL|certificate") as caught:
        send("GET", server.url.replace("http", "https"), timeout=20, ca_cert=str(own))
    assert "missing" not in str(caught.value)


def listening(speak: t.Callable[[socket.socket], None]) -> t.Iterator[str]:
    """host:port of a server that says to each connection what `speak` does."""
    with socket.create_server(("127.0.0.1", 0)) as serving:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = serving.accept()
                    with contextlib.suppress(OSError), connection:
                        connection.settimeout(60)
                        connection.recv(65536)
                        speak(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{serving.getsockname()[1]}"
        serving.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def says(*parts: bytes, pause: float = 0.0) -> t.Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return speak


GOOD = b"HTTP/1.1 200 OK\r\n"
HALF = GOOD + b"Content-Length: 9\r\n\r\nx"


def silent(connection: socket.socket) -> None:
    """Until the other side goes away."""
    while connection.recv(4096):
        pass


def dripping(connection: socket.socket) -> None:
    connection.sendall(GOOD + b"Content-Length: 99999\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)


Speak = t.Callable[[socket.socket], None]
AWAY, LATE = "cannot be reached", "did not answer within 0.3 s: check whether it is overloaded"
GZIP = GOOD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
WITHOUT_ANSWER: dict[str, tuple[str, Speak | None, type[DeployError], str]] = {
    "nobody": ("http", None, UnreachableError, f"{AWAY} (Connection refused): check that it runs"),
    "closes": ("http", says(), UnreachableError, f"{AWAY} (Remote end closed"),
    "not http": ("http", says(b"SSH-2.0\r\n"), UnreachableError, f"{AWAY} (SSH-2.0"),
    "half": ("http", says(HALF), UnreachableError, f"{AWAY} (IncompleteRead"),
    "silent": ("http", silent, UnreachableError, LATE),
    "dripping": ("http", dripping, UnreachableError, LATE),
    "no TLS": ("https", says(b"HTTP/1.1 400 Bad\r\n\r\n"), RefusedError, "that port uses TLS"),
    "no web": ("ftp", None, InputError, "cannot be asked (InvalidSchema): correct its URL"),
    "no gzip": ("http", says(GZIP), InputError, "cannot be asked (DecodeError)"),
    "too much": ("http", says(GOOD + b"\r\n" + b"x" * 5000), VerificationError, "4,000 bytes"),
}


@pytest.mark.parametrize("failure", WITHOUT_ANSWER)
def test_without_an_answer_it_says_what_where_why_and_what_to_do(failure):
    scheme, speak, kind, told = WITHOUT_ANSWER[failure]
    server = listening(speak) if speak else iter(["127.0.0.1:1"])
    place = next(server)
    url = f"{scheme}://ann:s3cret@{place}/path?key=hidden"
    where = f"It at {without_query(url)}"
    with pytest.raises(kind) as caught:
        ask(where, "GET", url, timeout=0.3 if told == LATE else 60, largest=4000)
    sentence = str(caught.value)
    assert sentence.startswith(f"It at {scheme}://{place}/path ")
    assert told in sentence
    assert sentence.endswith(".")
    assert "s3cret" not in sentence
    assert "hidden" not in sentence
    assert caught.value.__cause__ is None
    assert list(server) == []


def test_authorities_that_are_not_there_are_told(tmp_path):
    missing = str(tmp_path / "none.pem")
    with pytest.raises(InputError, match=r"^It cannot be asked .*none\.pem\): correct 'ca_cert'"):
        ask("It", "GET", "https://127.0.0.1:1", timeout=5, ca_cert=missing)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (302, VerificationError, "check its URL"),
        (401, RefusedError, "set a token"),
        (403, RefusedError, "set a token"),
        (404, VerificationError, "check its URL"),
        (408, UnreachableError, "then try again"),
        (429, UnreachableError, "rate limit, then try again"),
        (500, UnreachableError, "see its log, then try again"),
    ],
)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"code": "x1"}, "token": "t-1"}', " (x1)"),
        (b'{"errors": ["a t-1", "b"]}', " (a ********; b)"),
        (b"down\nfor long", " (down for long)"),
        (b"[1]", " ([1])"),
        (b"", ""),
    ],
)
def test_a_bad_answer_is_told_with_its_reason(status, kind, told, body, said):
    with pytest.raises(kind) as caught:
        good(Answer(status, {}, body), "It", secret="t-1")
    assert str(caught.value).startswith(f"It answered HTTP {status}{said}: ")
    assert told in str(caught.value)


class Pauses:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, lambda: sum(self.slept), self.slept.append)


@pytest.mark.parametrize(
    ("status", "header", "lost", "slept"),
    [
        pytest.param(503, "", True, [0, 1, 2], id="a server's error, ever longer"),
        pytest.param(503, "", False, [], id="what may have arrived goes once"),
        pytest.param(503, "2", False, [], id="whatever it asks for"),
        pytest.param(429, "3", False, [3, 3], id="a rate limit did nothing"),
        pytest.param(429, "3", True, [3, 3], id="as long as asked"),
        pytest.param(429, "soon", True, [0, 1, 2], id="nonsense is no time"),
        pytest.param(429, "3600", True, [], id="beyond the deadline"),
        pytest.param(429, "0", True, [0, 1, 2], id="at once each time is no time"),
        pytest.param(404, "1", True, [], id="what stays as it is"),
    ],
)
def test_it_asks_again_until_the_deadline(server, status, header, lost, slept):
    server.status, server.retry_after = status, header
    pauses = Pauses()
    repeat = Repeat(pauses.deadline(7), lost=lost)
    answer = send("POST", server.url, timeout=20, repeat=repeat, authorization=OURS)
    assert (answer.status, pauses.slept) == (status, slept)
    assert server.seen == [OURS] * (len(slept) + 1)


@pytest.mark.parametrize(("lost", "times"), [(True, 3), (False, 1)])
def test_a_lost_call_is_repeated_where_it_may_be(lost, times):
    met: list[bytes] = []
    server = listening(lambda _connection: met.append(b"once"))
    url = f"http://{next(server)}"
    with pytest.raises(UnreachableError, match=r"Remote end closed connection"):
        ask("It", "POST", url, timeout=5, repeat=Repeat(Pauses().deadline(2), lost=lost))
    assert list(server) == []
    assert len(met) == times


def test_all_attempts_together_keep_to_the_deadline():
    """The first is lost at once, and the second has what is left for it and not 30 s."""
    speaks = iter([says(), silent])
    server = listening(lambda connection: next(speaks)(connection))
    with pytest.raises(UnreachableError, match=r"did not answer within \d(\.\d)? s"):
        ask(
            "It", "GET", f"http://{next(server)}", timeout=30, repeat=Repeat(Pauses().deadline(0.5))
        )


def test_the_first_attempt_has_its_timeout_however_late_it_is():
    server = listening(says(b"", GOOD + b"Content-Length: 0\r\n\r\n", pause=0.4))
    url, late = f"http://{next(server)}", Repeat(Pauses().deadline(0))
    assert send("GET", url, timeout=20, repeat=late).status == 200
    assert list(server) == []


def test_one_connection_serves_many_requests():
    opened: list[int] = []

    def speak(connection: socket.socket) -> None:
        opened.append(1)
        answer = GOOD + b"Content-Length: 2\r\n\r\n{}"
        connection.sendall(answer)
        while connection.recv(65536):
            connection.sendall(answer)

    server = listening(speak)
    url = f"http://{next(server)}"
    with pooled(1) as session:
        answers = [send("GET", url, timeout=5, session=session).json() for _ in range(3)]
    assert (answers, opened) == ([{}] * 3, [1])
    assert list(server) == []


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        (b"text/plain", "Nyarūtarama".encode(), "Nyarūtarama"),
        (b"text/plain; charset=latin-1", "zażółć".encode("latin-1", "replace"), "za?ó??"),
        (b"text/plain; charset=nonsense", b"ok", "ok"),
    ],
)
def test_a_text_is_read_as_it_is_written(header, body, text):
    head = GOOD + b"Content-Type: " + header + b"\r\n\r\n"
    server = listening(says(head + body))
    assert send("GET", f"http://{next(server)}", timeout=5).text == text
    assert list(server) == []


def test_a_long_error_body_costs_next_to_nothing(server):
    """40 kB of hexadecimal took more than half a minute of CPU to redact."""
    server.status, server.body = 500, json.dumps({"trace": "a1" * 20_000}).encode()
    before = time.process_time()
    with pytest.raises(CheckError, match="answered 500 and not 200") as caught:
        check(server.url)
    assert time.process_time() - before < 3
    assert len(str(caught.value)) < 400


class LoginProxy(Handler):
    """As squid does without a login: https://httpwg.org/specs/rfc9110.html#status.407."""

    def do_CONNECT(self) -> None:
        self.answer(407, b"", {"Proxy-Authenticate": "Basic"})

    do_GET = do_CONNECT  # noqa: N815


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_told_with_its_cure(monkeypatch, scheme):
    with serving(LoginProxy) as url:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv(f"{scheme}_proxy", url.replace("//", "//ann:s3cret@"))
        with pytest.raises(RefusedError, match=r"407.*set user and password in the URL of") as told:
            good(ask("CI", "GET", f"{scheme}://ci.example.com/", timeout=20), "CI")
    assert "s3cret" not in str(told.value)


def test_a_proxy_that_is_not_there_is_no_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"proxy.*refused.*check HTTPS_PROXY"):
        ask("CI", "GET", "https://ci.example.com/", timeout=20)
