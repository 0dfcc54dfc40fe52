"""The API server behind a proxy, as in a company's network: all of a module's requests go through it."""

import select
import socket
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.easymo.deploy.plugins.modules import release_info


class Tunnel(BaseHTTPRequestHandler):
    """https://www.rfc-editor.org/rfc/rfc9110.html#name-connect"""

    asked: t.ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        host, _colon, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as server:
            self.send_response(200)
            self.end_headers()
            ends = {server: self.connection, self.connection: server}
            while True:
                for ready in select.select([*ends], [], [])[0]:
                    if not (chunk := ready.recv(1 << 16)):
                        return
                    ends[ready].sendall(chunk)

    def log_message(self, *_words: t.Any) -> None:
        """Nothing to the screen of the tests."""


@pytest.fixture
def proxy() -> t.Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_requests_go_through_the_proxy(place, proxy, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    through = place.run(release_info, name="2.0.0", proxy=proxy)
    assert not through.get("failed"), through
    assert through["exists"] is False
    assert Tunnel.asked
    gone = place.run(release_info, name="2.0.0", proxy="http://127.0.0.1:9")
    assert gone["failed"]
