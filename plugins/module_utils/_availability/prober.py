# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every address at its pace, whatever another one does, and fold what comes of it in the order of the questions.

Ask one address again and again over connections that are kept, as cheaply as can be.

Of the standard library alone: with requests, twenty addresses cost four times the time of a core that they may.
Certificates and the proxies of the environment are those of _http.py.
"""

from __future__ import annotations

import contextlib
import http.client
import math
import secrets
import socket
import ssl
import threading
import time
import typing as t
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from .._cluster import Clock, MonotonicClock
from .._errors import InputError
from .._http import basic, verifying
from .plan import Probe, ProberState, Target, fold, longest_pause

LARGEST = 64 << 10
"""Bytes of an answer that are read. One that is longer costs its connection."""
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
"""What a connection that was kept too long fails with, before the server has seen anything of the request."""

Connection = http.client.HTTPConnection


class Address:
    """One target. `ask` may be called by several threads at once, each of which has a connection of its own then."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._parts = split(target.url)
        self._proxy = _proxy_of(self._parts)
        self._context = verifying(target.ca_cert) if self._parts.scheme == "https" else None
        self._headers = {"User-Agent": "easymo-deploy", "Accept": "*/*"}
        if self._proxy and self._context is None:
            self._headers |= _permit(self._proxy)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def ask(self, timeout: float) -> str:
        """Why it did not answer as it should within so many seconds, else ""."""
        deadline = time.monotonic() + timeout
        challenge = secrets.token_hex(8) if self._target.verify_token else ""
        with self._lock:
            stored = self._idle.pop() if self._idle else None
        try:
            # A client that keeps connections has to expect that the other end closes one.
            with contextlib.suppress(*STALE):
                if stored is not None:
                    return self._ask_over(stored, deadline, challenge)
            return self._ask_over(self._connection(timeout), deadline, challenge)
        except Exception as exc:  # whatever comes of it, the next probe is due in a second
            return _in_words(exc, timeout)

    def _ask_over(self, connection: Connection, deadline: float, challenge: str) -> str:
        keep = False
        try:
            connection.request("GET", self._path(challenge), headers=self._headers)
            answer = connection.getresponse()
            body = b""
            # The timeout of a socket begins anew with each byte, ours does not.
            while len(body) < LARGEST and (chunk := answer.read1(LARGEST)):
                body += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError
            keep = answer.isclosed() and not answer.will_close
            if not 200 <= answer.status < 300:
                return f"status {answer.status}"
            echoed = not challenge or body == challenge.encode()
            return "" if echoed else "the challenge was not echoed"
        finally:
            if keep:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _connection(self, timeout: float) -> Connection:
        host, port = self._parts.hostname or "", self._parts.port
        at = (self._proxy.hostname or "", self._proxy.port or 80) if self._proxy else (host, port)
        if self._context is None:
            return http.client.HTTPConnection(*at, timeout=timeout)
        secure = http.client.HTTPSConnection(*at, timeout=timeout, context=self._context)
        if self._proxy:
            secure.set_tunnel(host, port, headers=_permit(self._proxy))
        return secure

    def _path(self, challenge: str) -> str:
        query = self._parts.query
        if challenge:
            requested = {
                "hub.mode": "subscribe",
                "hub.challenge": challenge,
                "hub.verify_token": self._target.verify_token,
            }
            query = "&".join(filter(None, (query, urlencode(requested))))
        path = f"{self._parts.path or '/'}{'?' if query else ''}{query}"
        if self._proxy and self._context is None:
            return f"{self._parts.scheme}://{self._parts.netloc}{path}"
        return path


class Door:
    """A control address: it is there when it takes a connection."""

    def __init__(self, url: str) -> None:
        parts = split(url)
        self._at = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def ask(self, timeout: float) -> str:
        try:
            socket.create_connection(self._at, timeout=timeout).close()
        except OSError as exc:
            return _in_words(exc, timeout)
        return ""


def split(url: str) -> SplitResult:
    """Raises InputError for what is no http address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable:
        raise InputError(f"{url!r} cannot be probed: use an address like https://api.example.com.")
    return parts


def _proxy_of(parts: SplitResult) -> SplitResult | None:
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _permit(proxy: SplitResult) -> dict[str, str]:
    permit = basic(proxy.username or "", proxy.password or "")
    return {"Proxy-Authorization": permit} if permit else {}


def _in_words(exc: Exception, timeout: float) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}"
    if isinstance(exc, socket.gaierror):
        return "its name is not known"
    if isinstance(exc, STALE):
        return "the connection was closed without an answer"
    if isinstance(exc, OSError) and exc.strerror:
        return str(exc.strerror).lower()
    return f"no proper answer ({type(exc).__name__})"


GRACE = 0.5
"""Seconds after its timeout in which an address may still be told to have answered or not."""
MOST_WAITING = 8
"""Questions of one address that wait for an answer at a time. One that hangs is not asked more often than that."""
WAVES = 5
"""In so many turns all are asked: to wake up costs as much as a question."""
LOOK_EVERY = 1.0
"""Seconds between two looks whether it is to end."""


Askable = Address | Door


@dataclass
class _Question:
    """One that was asked. `problem` is None until there is an answer, or its time is up."""

    name: str
    at: float
    deadline: float
    problem: str | None = None


class Prober:
    """`controls` are asked only when something does not answer, to tell whether this machine sees anything."""

    def __init__(
        self,
        targets: t.Mapping[str, Askable],
        controls: t.Mapping[str, Askable],
        state: ProberState,
        *,
        interval: float,
        timeout: float,
        wall: t.Callable[[], float] = time.time,
        clock: Clock | None = None,
    ) -> None:
        self.state = state
        """As far as it is known. Replaced, never changed, so another thread may take it as it is."""
        self._asked = {**targets, **controls}
        self._controls = frozenset(controls)
        self._interval = interval
        self._timeout = timeout
        self._wall = wall
        self._clock = clock or MonotonicClock()
        self._at_once = min(math.ceil(timeout / interval) + 2, MOST_WAITING)
        self._questions: deque[_Question] = deque()
        self._waiting: Counter[str] = Counter()
        self._failing = False
        self._stopped = False
        self._lock = threading.Lock()
        # It makes one more only when none of them waits: one or two are enough, until something hangs.
        self._threads = ThreadPoolExecutor(self._at_once * len(self._asked))

    def run(self, ended: t.Callable[[], bool]) -> None:
        """Until `ended` says so, or `stop` was called."""
        now = self._clock.now()
        pace, each = self._interval / WAVES, len(self._asked) / WAVES
        due = {name: now + place // each * pace for place, name in enumerate(self._asked)}
        look = now
        while not self._stopped:
            before, now = now, self._clock.now()
            if now - before > longest_pause(self._interval):
                # What was under way when this machine stalled says nothing.
                self._questions = deque(
                    question for question in self._questions if question.problem is not None
                )
            if now >= look:
                if ended():
                    break
                look = now + LOOK_EVERY
            for name, when in due.items():
                if when <= now:
                    self._ask(name, now)
                    # What was missed stays missed: no address is asked twice at once for it.
                    due[name] = max(when + self._interval, now + self._interval / 2)
            self._fold(now)
            pause = min(*due.values(), look, now + LOOK_EVERY) - self._clock.now()
            self._clock.sleep(max(0.001, pause))
        self._fold(math.inf)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Within a second. May be called by another thread, or by the handler of a signal."""
        self._stopped = True

    def _ask(self, name: str, now: float) -> None:
        oldest = self._questions[0].deadline - self._timeout - GRACE if self._questions else now
        suspicious = self._failing or now - oldest > self._interval
        if name in self._controls and not suspicious:
            return
        if self._waiting[name] >= self._at_once:
            return
        question = _Question(name, self._wall(), now + self._timeout + GRACE)
        try:
            self._threads.submit(self._answer, question)
        except RuntimeError:  # this machine has no more threads
            question.deadline = 0.0
            return
        self._questions.append(question)
        with self._lock:
            self._waiting[name] += 1

    def _answer(self, question: _Question) -> None:
        if not question.deadline:
            return  # it waited for a thread that there was not
        problem = self._asked[question.name].ask(self._timeout)
        with self._lock:
            self._waiting[question.name] -= 1
            if question.problem is None:
                question.problem = problem
                self._failing = bool(problem)

    def _fold(self, now: float) -> None:
        """All that is known up to the first question that is still open. At the end those are left out."""
        while self._questions:
            question = self._questions[0]
            if question.problem is None and now < math.inf:
                if question.deadline > now:
                    return
                with self._lock:
                    question.problem = f"no answer within {self._timeout:g} s"
            self._questions.popleft()
            if question.problem is not None:
                control = question.name in self._controls
                probe = Probe(question.name, question.at, question.problem, control)
                self.state = fold(self.state, probe)
