# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus on loopback that answers what a test tells it to, in its own JSON."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

Answer = t.Callable[[], t.Any]
"""Gives the value of each series as text, or a whole document as a dict with its `http` status."""

UNAVAILABLE = {"http": 503, "status": "error", "errorType": "unavailable", "error": "starting"}
NOT_UNDERSTOOD = {"http": 400, "status": "error", "errorType": "bad_data", "error": "parse error"}


class FakePrometheus:
    """`answers` by query; those to come are taken in turn, and the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[t.Any]] = {}
        self.asked: list[str] = []
        self.delay = 0.0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, query: str, *answers: t.Any) -> None:
        """Each a number or text, a list of them for several series, or a document."""
        with self._lock:
            self.answers[query] = list(answers)

    def times(self, query: str) -> int:
        with self._lock:
            return self.asked.count(query)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, query: str) -> dict[str, t.Any]:
        with self._lock:
            self.asked.append(query)
            waiting = self.answers[query]
            given = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(given, dict):
            return given
        values = given if isinstance(given, list) else [given]
        result = [{"metric": {}, "value": [time.time(), str(value)]} for value in values]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer in two packets waits for the other side's acknowledgement of the first.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(size).decode())
                time.sleep(fake.delay)
                document = dict(fake._answer(form["query"][0]))
                status = document.pop("http", 200)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: t.Any) -> None:
                return

        return Handler


@contextlib.contextmanager
def prometheus() -> t.Iterator[FakePrometheus]:
    fake = FakePrometheus()
    try:
        yield fake
    finally:
        fake.close()
