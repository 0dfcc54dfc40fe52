"""Servers of plain HTTP, in the place of urllib3's connections: sessions, retries and deadlines stay the product's.

A server is a function from what was asked to what is answered, known to the world by its host.
"""

from __future__ import annotations

import io
import typing as t
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import orjson
import urllib3

from . import plan
from .client import WRITES, Journey

if t.TYPE_CHECKING:
    import requests

    from .world import World


class Asked(t.NamedTuple):
    method: str
    path: str
    query: t.Mapping[str, str]
    headers: t.Mapping[str, str]
    body: bytes


class Answered(t.NamedTuple):
    status: int
    body: bytes
    headers: t.Mapping[str, str] = {}


Site = t.Callable[[Asked], Answered]


def json_answer(body: t.Any, status: int = 200) -> Answered:
    return Answered(status, orjson.dumps(body), {"Content-Type": "application/json"})


def in_world(session: requests.Session, world: t.Callable[[], World]) -> requests.Session:
    """The session, whose connections lead into the world."""

    class Pool(urllib3.HTTPConnectionPool):
        def _get_conn(self, timeout: t.Any = None) -> t.Any:
            del timeout
            return SimpleNamespace(timeout=None, is_closed=False, proxy=None, close=lambda: None)

        def _put_conn(self, conn: t.Any) -> None:
            """There is none to be kept."""

        def _make_request(
            self,
            conn: t.Any,
            method: str,
            url: str,
            body: t.Any = None,
            headers: t.Any = None,
            retries: t.Any = None,
            timeout: t.Any = None,
            **_more: t.Any,
        ) -> t.Any:
            del conn
            parts = urlsplit(url)
            sent = body.encode() if isinstance(body, str) else body or b""
            asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers or {}, sent)
            given = self._get_timeout(timeout)
            patience = given.total or given.read_timeout
            answered = WebJourney(world(), self.host, asked, float(patience or 30.0)).go()
            return urllib3.HTTPResponse(
                body=io.BytesIO(answered.body),
                headers=dict(answered.headers),
                status=answered.status,
                preload_content=False,
                request_method=method,
                retries=retries,
            )

    session.trust_env = False
    for adapter in session.adapters.values():
        adapter.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": Pool}
    return session


class WebJourney(Journey):
    """To a server of plain HTTP, by whose documents it may befall.

    - `lost`, `answer lost`, `slow`, `late`, `409 done`, `500 done` as on the way to an API server (KubernetesJourney).
    - `429`: Supabase's Management API takes 120 calls a minute of each endpoint, then answers so with Retry-After
      (https://supabase.com/docs/reference/api/introduction, "Rate limits").
    - `500`: documented there for every call, and 503 by any proxy before a server that is down (RFC 9110, 15.6.4).
    """

    def __init__(self, world: World, host: str, asked: Asked, patience: float) -> None:
        super().__init__(world, asked.path, writes=asked.method in WRITES, patience=patience)
        self._host = host
        self._asked = asked

    def _serve(self, _by: t.Any) -> Answered:
        site = self._world.sites.get(self._host)
        if site is None:
            raise urllib3.exceptions.NameResolutionError(
                self._host, t.cast("t.Any", None), t.cast("t.Any", "no such host")
            )
        answered = site(self._asked)
        if self._asked.method != "GET" or answered.status >= 400:
            who = self._world.scheduler.process
            told = f"{self._asked.method} {self._host}{self._asked.path} -> {answered.status}"
            self._world.say(f"{who.name if who else 'late'}: {told}")
        return answered

    def _refusal(self, kind: str) -> Answered:
        if kind == plan.THROTTLED:
            return Answered(429, b"slow down", {"Retry-After": "1"})
        return Answered(503, b"try again later")
