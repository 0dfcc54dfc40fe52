# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask one address again and again over connections that are kept, as cheaply as can be.

Of the standard library alone: with requests, twenty addresses cost four times the time of a core that they may.
Certificates and the proxies of the environment are those of _http.py.
"""

from __future__ import annotations

import base64
import http.client
import secrets
import socket
import ssl
import threading
import time
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from .._errors import InputError
from .._http import authorities
from .._tls import relax
from .models import Target

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
        self._context = _verifying(target.ca_cert) if self._parts.scheme == "https" else None
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def ask(self, timeout: float) -> str:
        """Why it did not answer as it should within so many seconds, else ""."""
        deadline = time.monotonic() + timeout
        challenge = secrets.token_hex(8) if self._target.verify_token else ""
        try:
            return self._exchange(timeout, deadline, challenge)
        except Exception as exc:  # whatever comes of it, the next probe is due in a second
            return _in_words(exc, timeout)

    def _exchange(self, timeout: float, deadline: float, challenge: str) -> str:
        kept = self._take()
        if kept is not None:
            try:
                return self._ask_over(kept, deadline, challenge)
            except STALE:
                pass  # a client that keeps connections has to expect that the other end closes one
        return self._ask_over(self._connection(timeout), deadline, challenge)

    def _ask_over(self, connection: Connection, deadline: float, challenge: str) -> str:
        keep = False
        try:
            connection.request("GET", self._path(challenge), headers=self._headers())
            answer = connection.getresponse()
            body = b""
            # The timeout of a socket begins anew with each byte, ours does not.
            while len(body) < LARGEST and (chunk := answer.read1(LARGEST)):
                body += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError
            keep = answer.isclosed() and not answer.will_close
            return self._judge(answer.status, body, challenge)
        finally:
            if keep:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

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
            asked = {
                "hub.mode": "subscribe",
                "hub.challenge": challenge,
                "hub.verify_token": self._target.verify_token,
            }
            query = "&".join(filter(None, (query, urlencode(asked))))
        path = f"{self._parts.path or '/'}{'?' if query else ''}{query}"
        if self._proxy and self._context is None:
            return f"{self._parts.scheme}://{self._parts.netloc}{path}"
        return path

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "easymo-deploy", "Accept": "*/*"}
        if self._proxy and self._context is None:
            headers |= _permit(self._proxy)
        return headers

    def _judge(self, status: int, body: bytes, challenge: str) -> str:
        if not 200 <= status < 300:
            return f"status {status}"
        if challenge and body != challenge.encode():
            return "the challenge was not echoed"
        return ""


class Door:
    """A control address: it is there when it takes a connection."""

    def __init__(self, host: str, port: int) -> None:
        self._at = (host, port)

    @classmethod
    def of(cls, url: str) -> Door:
        parts = split(url)
        return cls(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))

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


def _verifying(ca_cert: str | None) -> ssl.SSLContext:
    try:
        return relax(ssl.create_default_context(cafile=ca_cert or authorities()))
    except OSError as exc:
        raise InputError(f"The authorities in {ca_cert!r} cannot be read: {exc}.") from exc


def _proxy_of(parts: SplitResult) -> SplitResult | None:
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _permit(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{proxy.username}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _in_words(exc: Exception, timeout: float) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}"
    if isinstance(exc, socket.gaierror):
        return "its name is not known"
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    if isinstance(exc, STALE):
        return "the connection was closed without an answer"
    if isinstance(exc, OSError) and exc.strerror:
        return str(exc.strerror).lower()
    return f"no proper answer ({type(exc).__name__})"
