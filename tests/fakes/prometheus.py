"""A Prometheus on loopback that answers what a test tells it to, in its own JSON."""

import contextlib
import threading
import time
import typing as t
from urllib.parse import parse_qs

from tests.fakes.http_server import Handler, serving

Answer = t.Callable[[], t.Any]
"""Gives the value of each series as text, or a whole document as a dict with its `http` status."""


class FakePrometheus:
    """`answers` by query; those to come are taken in turn, and the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[t.Any]] = {}
        self.asked: list[str] = []
        self.free = threading.Event()
        """Cleared, it answers nobody until it is set."""
        self.free.set()
        self.url = ""
        self._lock = threading.Lock()

    def says(self, query: str, *answers: t.Any) -> None:
        """Each a number or text, a list of them for several series, or a document."""
        with self._lock:
            self.answers[query] = list(answers)

    def times(self, query: str) -> int:
        with self._lock:
            return self.asked.count(query)

    def answer(self, query: str) -> dict[str, t.Any]:
        with self._lock:
            self.asked.append(query)
            waiting = self.answers[query]
            given = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(given, dict):
            return given
        values = given if isinstance(given, list) else [given]
        result = [{"metric": {}, "value": [time.time(), str(value)]} for value in values]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


@contextlib.contextmanager
def prometheus() -> t.Iterator[FakePrometheus]:
    fake = FakePrometheus()

    class Queries(Handler):
        protocol_version = "HTTP/1.1"
        # An answer in two packets waits for the other side's acknowledgement of the first.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            form = parse_qs(self.body().decode())
            fake.free.wait()
            document = dict(fake.answer(form["query"][0]))
            self.answer_json(document, document.pop("http", 200))

    with serving(Queries) as fake.url:
        yield fake
