# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of a cluster, seen through its restart: for a while it denies everything, as the real one does.

Seen on kube-apiserver 1.36.2: for 1.2 to 1.3 s after its port opened, until the caches of its RBAC authorizer are
filled, it answers 403 to whoever has a role of a namespace: first, while it knows no binding either, without a word
of a role (its audit log has no `authorization.k8s.io/reason` then), and then with the words below.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
import typing as t
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.fakes.http_server import Handler

CACHES_FILL = 1.5
"""Seconds."""
ROLE = "easymo-deployer"
NAMED = re.compile(r"/(?:api|apis/[^/]+)/v\d+/namespaces/[^/]+/([a-z]+)(?:/[^/]+)?(/[a-z]+)?$")
LOCAL = (
    "host",
    "authorization",
    "transfer-encoding",
    "connection",
    "content-length",
    "date",
    "server",
)


class RestartedServer:
    """In front of a server, inside `with`. `calls` are the kinds of requests that came, such as "PATCH deployments".

    `restart_at(call)`: the next request of this kind is the first to be denied, and with it all others.
    """

    def __init__(self, facts: t.Mapping[str, t.Any]) -> None:
        self.calls: list[str] = []
        self.denied: list[str] = []
        self._facts = facts
        self._awaited = ""
        self._until = 0.0
        self._lock = threading.Lock()
        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._listening.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._listening.server_port}"

    def __enter__(self) -> RestartedServer:
        threading.Thread(target=self._listening.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listening.shutdown()
        self._listening.server_close()

    def restart_at(self, call: str) -> None:
        with self._lock:
            self._awaited, self._until = call, 0.0
            self.calls, self.denied = [], []

    def kubeconfig(self) -> dict[str, t.Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "of-nobody"}}],
        }

    def denies(self, call: str) -> bool:
        with self._lock:
            self.calls.append(call)
            if call == self._awaited:
                self._awaited, self._until = "", time.monotonic() + CACHES_FILL
            denied = time.monotonic() < self._until
            self.denied += [call] if denied else []
            return denied

    def _handler(self) -> type[Handler]:
        server, facts = self, self._facts
        upstream = urlsplit(facts["server"])
        trusted = ssl.create_default_context(cafile=facts["ca_cert"])

        class Proxy(Handler):
            protocol_version = "HTTP/1.1"

            def proxy(self) -> None:
                body = self.body()
                call = call_of(self.command, self.path)
                if server.denies(call):
                    self.answer_json(denial(call, plain=len(server.denied) == 1), 403)
                    return
                connection = http.client.HTTPSConnection(
                    str(upstream.hostname), upstream.port, timeout=300, context=trusted
                )
                kept = {k: v for k, v in self.headers.items() if k.lower() not in LOCAL}
                kept["Authorization"] = f"Bearer {facts['token']}"
                connection.request(self.command, self.path, body, kept)
                self.pass_on(connection.getresponse())
                connection.close()

            def pass_on(self, response: http.client.HTTPResponse) -> None:
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in LOCAL:
                        self.send_header(name, value)
                # Chunks, as the real one sends them: a client waits for the end of anything else.
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    while chunk := response.read1():
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                        self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    self.close_connection = True  # whoever watched has seen enough

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Proxy, f"do_{method}", Proxy.proxy)
        return Proxy


def call_of(method: str, path: str) -> str:
    """Such as "GET pods", "LIST pods", "WATCH pods" or "GET pods/log"."""
    parts = urlsplit(path)
    matched = NAMED.match(parts.path)
    if matched is None:
        return f"{method} {parts.path.rpartition('/')[2]}"
    plural, subresource = matched[1], matched[2] or ""
    collection = parts.path.endswith(f"/{plural}")
    if method == "GET" and collection:
        method = "WATCH" if "watch=true" in parts.query else "LIST"
    return f"{method} {plural}{subresource}"


def denial(call: str, *, plain: bool) -> dict[str, t.Any]:
    """In the words that were recorded; `plain`: while no binding is known."""
    verb, _, resource = call.partition(" ")
    why = "" if plain else f': RBAC: role.rbac.authorization.k8s.io "{ROLE}" not found'
    message = (
        f'{resource} is forbidden: User "deployer" cannot {verb.lower()} resource "{resource}"{why}'
    )
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Forbidden",
        "details": {"kind": resource},
        "code": 403,
    }
