# SPDX-License-Identifier: GPL-3.0-or-later
"""Every client over a real server, on a machine whose ~/.netrc has a password for it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import AlertsApi
from ansible_collections.easymo.deploy.plugins.module_utils._banner.api import BannerApi
from ansible_collections.easymo.deploy.plugins.module_utils._checks import http as http_check
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import CheckError
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.probe import Probe
from ansible_collections.easymo.deploy.plugins.module_utils._functions.prober import HttpGateway
from ansible_collections.easymo.deploy.plugins.module_utils._gate.prometheus import Prometheus
from ansible_collections.easymo.deploy.plugins.module_utils._http import request
from ansible_collections.easymo.deploy.plugins.module_utils._images.reference import Reference
from ansible_collections.easymo.deploy.plugins.module_utils._messages.retry import Deadline
from ansible_collections.easymo.deploy.plugins.module_utils._messages.services import Service
from ansible_collections.easymo.deploy.plugins.module_utils._preflight import http as readiness
from ansible_collections.easymo.deploy.plugins.module_utils._registry import HttpRegistry
from ansible_collections.easymo.deploy.plugins.module_utils._smoke.wallet import HttpWallets
from ansible_collections.easymo.deploy.plugins.module_utils._supabase_http import ManagementClient
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.client import HttpWebhook
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import Request
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.traces import FunctionLog

OURS = "Bearer our-own-token"
TOKEN = OURS.removeprefix("Bearer ")


class Server:
    """Answers everything alike, and keeps what each request was authorized with."""

    url: str
    status = 200
    body = b"{}"
    location = ""

    def __init__(self) -> None:
        self.seen: list[str | None] = []


@pytest.fixture
def server() -> t.Iterator[Server]:
    kept = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kept.seen.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(kept.status)
            if kept.location:
                self.send_header("Location", kept.location)
            self.send_header("Content-Length", str(len(kept.body)))
            self.end_headers()
            self.wfile.write(kept.body)

        do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_arguments: t.Any) -> None:
            """Nobody reads it."""

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
    kept.url = f"http://127.0.0.1:{serving.server_port}"
    yield kept
    serving.shutdown()
    serving.server_close()


@pytest.fixture(params=["~/.netrc", "$NETRC"])
def netrc(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    }
    http_check.probe({**given, "url": url, **more}, 20)


def management(url: str) -> ManagementClient:
    return ManagementClient(
        api_url=url, project_ref="x", access_token=TOKEN, ca_cert=None, timeout=20
    )


def registry(url: str) -> HttpRegistry:
    return HttpRegistry(
        api=url,
        username="",
        password="",
        ca_cert=None,
        timeout=20,
        patience=0,
        clock=MonotonicClock(),
    )


def service(url: str, **more: str) -> object:
    return Service("It", url, Deadline(20), **more).ask("GET", "", idempotent=False)


def webhook(url: str, **headers: str) -> object:
    return HttpWebhook(url, ca_cert=None, timeout=20).send(Request("GET", headers))


WITH_TOKEN: dict[str, t.Callable[[str], object]] = {
    "alerts": lambda url: AlertsApi(url, url, timeout=20, token=TOKEN).receivers(),
    "banner": lambda url: BannerApi(url, TOKEN, Deadline(20), None).show(None),
    "health check with a header": lambda url: check(url, headers={"Authorization": OURS}),
    "management api": lambda url: management(url).call("GET", "/functions", "the functions"),
    "prometheus": lambda url: Prometheus(url, 20, token=TOKEN).sample("up"),
    "preflight": lambda url: readiness.ask("CI", url, timeout=20, authorization=OURS),
    "log of the functions": lambda url: FunctionLog(url, "x", TOKEN).lines(["a"]),
    "status page and pager": lambda url: service(url, authorization=OURS),
    "webhook with a header": lambda url: webhook(url, Authorization=OURS),
}
WITHOUT: dict[str, t.Callable[[str], object]] = {
    "alerts": lambda url: AlertsApi(url, url, timeout=20).receivers(),
    "functions": lambda url: HttpGateway(url, ca_cert=None, timeout=20).ask(Probe("wa-webhook")),
    "health check": check,
    "prometheus": lambda url: Prometheus(url, 20).sample("up"),
    "preflight": lambda url: readiness.ask("CI", url, timeout=20),
    "registry": lambda url: registry(url).digest(Reference.parse("easymo/app:v1")),
    "status page and pager": service,
    "wallet": lambda url: HttpWallets(url, ca_cert=None, timeout=20).balance("1"),
    "webhook": webhook,
}


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("client", WITH_TOKEN)
def test_our_token_goes_along_whatever_a_netrc_says(client: str, server: Server) -> None:
    with contextlib.suppress(DeployError):
        WITH_TOKEN[client](server.url)
    assert set(server.seen) == {OURS}


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("client", WITHOUT)
def test_a_password_of_this_machine_goes_to_nobody(client: str, server: Server) -> None:
    with contextlib.suppress(DeployError):
        WITHOUT[client](server.url)
    assert set(server.seen) == {None}


@pytest.mark.usefixtures("netrc")
def test_a_login_in_the_url_is_used(server: Server) -> None:
    url = server.url.replace("://", "://bob:hunter2@")
    request("GET", url, timeout=20)
    assert server.seen == ["Basic Ym9iOmh1bnRlcjI="]


@pytest.mark.usefixtures("netrc")
def test_nobody_is_sent_elsewhere(server: Server) -> None:
    server.status, server.location = 302, f"{server.url}/elsewhere"
    for ask in WITH_TOKEN.values():
        server.seen.clear()
        with contextlib.suppress(DeployError):
            ask(server.url)
        assert server.seen == [OURS]


def test_our_authorities_are_asked_whatever_the_environment_names(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """requests would take REQUESTS_CA_BUNDLE in the place of a session's own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    own = tmp_path / "own.pem"
    own.write_text("", "utf-8")
    with pytest.raises(OSError, match=r"missing"):
        request("GET", server.url.replace("http", "https"), timeout=20)
    with pytest.raises(Exception, match=r"own|SSL|certificate") as caught:
        request("GET", server.url.replace("http", "https"), timeout=20, ca_cert=str(own))
    assert "missing" not in str(caught.value)


def test_a_long_error_body_costs_next_to_nothing(server: Server) -> None:
    """40 kB of hexadecimal took more than half a minute of CPU to redact."""
    server.status, server.body = 500, json.dumps({"trace": "a1" * 20_000}).encode()
    before = time.process_time()
    with pytest.raises(CheckError, match="answered 500 and not 200") as caught:
        check(server.url)
    assert time.process_time() - before < 3
    assert len(str(caught.value)) < 400
