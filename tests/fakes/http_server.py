"""A web server on loopback, for a test that decides what it answers."""

import json
import ssl
import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Prints nothing. A test adds `do_GET` and the like, which call `answer` or `answer_json`."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(
        self, status: int = 200, content: bytes = b"", headers: t.Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def answer_json(
        self, document: object, status: int = 200, headers: t.Mapping[str, str] | None = None
    ) -> None:
        told = {"Content-Type": "application/json", **(headers or {})}
        self.answer(status, json.dumps(document).encode(), told)

    def log_message(self, *_arguments: object) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is no news."""


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> t.Iterator[str]:
    """The server's URL, such as `http://127.0.0.1:40123`, until the end of the block."""
    server = Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
