# SPDX-License-Identifier: GPL-3.0-or-later
"""The one HTTP client: with our token and no other, TLS verified, redirects told, a deadline, and failures in words.

What an answer means is its caller's to say. Certificates are read as strictly as kubectl, libpq and OpenSSL do.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import ssl
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from ._errors import (
    DeployError,
    InputError,
    Library,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ._formats import read_json
from ._redaction import BLANK, excerpt
from ._time import Deadline

REQUESTS = Library("requests >= 2.32")
with REQUESTS:
    import requests
    import requests.adapters
    import requests.auth
    import requests.utils
    import urllib3
    from urllib3.util import Retry, Timeout

LARGEST = 64 << 20
"""Bytes of an answer: a server that goes on talking must not fill our memory."""
LIMITED = 429
LATER = frozenset({LIMITED, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
_LONGEST_PAUSE = 120.0
_CHUNK = 64 * 1024
_SHOWN = 200
_LOGIN = "set user and password in the URL of HTTPS_PROXY or HTTP_PROXY"


@dataclass(frozen=True)
class Answer:
    """What a server answered, whole."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes = b""
    encoding: str = "utf-8"

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        try:
            return self.body.decode(self.encoding, errors="replace")
        except LookupError:
            return self.body.decode(errors="replace")

    def json(self) -> t.Any:
        """Raises ValueError."""
        return read_json(self.body)


class NoAnswerError(Exception):
    """Why there is no answer. `problem` goes on after the server's name, and `cure` says what to do."""

    def __init__(self, error: type[DeployError], problem: str, cure: str) -> None:
        super().__init__(problem)
        self.error = error
        self.problem = problem
        self.cure = cure

    def of(self, where: str) -> DeployError:
        return self.error(f"{where} {self.problem}: {self.cure}.")


@dataclass(frozen=True)
class Repeat:
    """Ask again until `deadline`, after what Retry-After says. The first attempt has its whole timeout in any case.

    `lost`: after a lost call and a server's error too, which only a request that may arrive twice can have, and `times`
    at most. Without it a request is repeated only when a rate limit kept the server from doing anything.
    """

    deadline: Deadline
    lost: bool = True
    times: int = 100
    statuses: t.Collection[int] = LATER

    def pause(self, attempt: int, result: Answer | NoAnswerError) -> float | None:
        """Seconds until the next attempt, None where this, counted from 1, is the last."""
        if isinstance(result, NoAnswerError):
            again, limited, wanted = result.error is UnreachableError, False, 0.0
        else:
            again, limited = result.status in self.statuses, result.status == LIMITED
            wanted = retry_after(result.headers)
        if not again or not (limited or (self.lost and attempt <= self.times)):
            return None
        seconds = 0.0 if attempt == 1 else min(2.0 ** min(attempt - 2, 30), _LONGEST_PAUSE)
        # A server that says 0 each time would be asked hundreds of times a second.
        seconds = wanted or seconds
        return seconds if seconds < self.deadline.left() else None


def retry_after(headers: t.Mapping[str, str]) -> float:
    """Seconds that a server asks for; 0 where it asks for none, or for what cannot be read."""
    try:
        return float(Retry().parse_retry_after(headers.get("Retry-After", "")))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def ask(where: str, method: str, url: str, **how: t.Any) -> Answer:
    """As `send`; without an answer one of our errors, whose sentence begins with `where`."""
    try:
        return send(method, url, **how)
    except NoAnswerError as exc:
        raise exc.of(where) from None


def send(
    method: str,
    url: str,
    *,
    timeout: float,
    authorization: str = "",
    ca_cert: str | None = None,
    session: requests.Session | None = None,
    repeat: Repeat | None = None,
    largest: int = LARGEST,
    **more: t.Any,
) -> Answer:
    """Whatever is answered, else NoAnswerError. With `repeat`, `timeout` is for each attempt.

    After `timeout` seconds an answer that still goes on is given up, and so is a silence of that length.
    `authorization` is the whole header, see `bearer` and `basic`, and `ca_cert` a file of authorities for this server.
    `largest` in bytes. `more` goes to requests: `params`, `headers`, `json`, `data`, `files`, `cert`.
    """
    began, left = time.monotonic(), timeout
    with contextlib.nullcontext(session) if session else _session() as opened:
        for attempt in itertools.count(1):
            end = time.monotonic() + left
            result: Answer | NoAnswerError
            try:
                response = opened.request(
                    method,
                    url,
                    timeout=Timeout(total=left),  # type: ignore[arg-type] # its stubs do not know urllib3's
                    auth=_Permit(authorization),
                    # Of the request and not of the session: there REQUESTS_CA_BUNDLE would take their place.
                    verify=ca_cert or True,
                    allow_redirects=False,
                    stream=True,
                    **more,
                )
                result = _read(response, end, largest)
            except (OSError, ValueError, urllib3.exceptions.HTTPError) as exc:
                result = _no_answer(exc, timeout if attempt == 1 else time.monotonic() - began)
            pause = repeat.pause(attempt, result) if repeat else None
            if repeat is None or pause is None:
                break
            repeat.deadline.sleep(pause)
            left = max(0.1, min(timeout, repeat.deadline.left()))
    if isinstance(result, NoAnswerError):
        raise result
    return result


def pooled(connections: int) -> requests.Session:
    """For as many threads at once."""
    return _session(pool_maxsize=connections)


def _session(**adapting: t.Any) -> requests.Session:
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(**adapting)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def client_certificate(certificate: str | None, key: str | None) -> tuple[str, str] | str | None:
    """The `cert` of `send`, of two files; without a key it is in the certificate's."""
    return (certificate, key) if certificate and key else certificate or None


def bearer(token: str | None) -> str:
    return f"Bearer {token}" if token else ""


def basic(user: str, password: str) -> str:
    """In UTF-8, where requests takes Latin-1."""
    if not user:
        return ""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def good(
    answer: Answer,
    where: str,
    *,
    forbidden: str = "set a token with access",
    otherwise: tuple[type[DeployError], str] = (VerificationError, "check its URL"),
    secret: str = "",
) -> Answer:
    """The answer if it is a good one, else what its status means. `secret` is blanked in what the server said."""
    if answer.good:
        return answer
    text = said_in(answer, secret)
    text = f"{where} answered HTTP {answer.status}{f' ({text})' if text else ''}"
    if answer.status in (401, 403):
        raise RefusedError(f"{text}: {forbidden}.")
    if answer.status == 407:
        raise RefusedError(f"{text}, which is a proxy: {_LOGIN}.")
    if answer.status == 429:
        raise UnreachableError(f"{text}: see its log for the rate limit, then try again.")
    if answer.status == 408 or answer.status >= 500:
        raise UnreachableError(f"{text}: see its log, then try again.")
    error, cure = otherwise
    raise error(f"{text}: {cure}.")


def said_in(answer: Answer, secret: str = "", limit: int = _SHOWN) -> str:
    """What a server said of its error: the reasons in its JSON, else the beginning of its text."""
    text = answer.text
    try:
        body = answer.json()
        given = body.get("errors") or body.get("error") or body.get("message")
        listed = given if isinstance(given, list) else [given] if given else []
        text = "; ".join(_reason(entry) for entry in listed) or text
    except (ValueError, AttributeError):
        pass
    return excerpt(text.replace(secret, BLANK) if secret else text, limit)


def verifying(ca_cert: str | None) -> ssl.SSLContext:
    """Of who speaks TLS by other means, with the authorities that our calls trust. Raises InputError."""
    authority = ca_cert or str(requests.utils.DEFAULT_CA_BUNDLE_PATH)
    try:
        return relax(ssl.create_default_context(cafile=authority))
    except OSError as exc:
        raise InputError(
            f"{authority} holds no certificate authorities ({exc.strerror or exc})."
        ) from None


def without_query(url: str) -> str:
    """The URL as far as it may be shown: no user, no password, no query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # Of what is no URL, as http://[::1.
        return url.partition("?")[0].rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class _Permit:
    """An auth of our own, for without one requests puts what ~/.netrc has for the host in place of every token.

    `Session.trust_env` would keep it away too, and with it the proxies of the environment.
    """

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization:
            prepared.headers["Authorization"] = self._authorization
            return prepared
        user, password = requests.utils.get_auth_from_url(prepared.url or "")
        return (
            requests.auth.HTTPBasicAuth(user, password)(prepared) if user or password else prepared
        )


def _read(response: requests.Response, end: float, largest: int) -> Answer:
    """The timeout of a socket begins anew with each byte, ours does not."""
    # An older urllib3 waits for a whole chunk.
    read = getattr(response.raw, "read1", response.raw.read)
    body = bytearray()
    with response:
        while chunk := read(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > largest:
                raise NoAnswerError(
                    VerificationError, f"answers with more than {largest:,} bytes", "check its URL"
                )
            if time.monotonic() > end:
                raise requests.exceptions.Timeout
    headers = response.headers
    encoding = "charset" in headers.get("Content-Type", "").lower() and response.encoding
    return Answer(response.status_code, headers, bytes(body), encoding or "utf-8")


def _no_answer(exc: Exception, passed: float) -> NoAnswerError:
    """The one place that knows what the exceptions of requests and urllib3 mean."""
    chain = list(_chain(exc))
    cause = _words(chain[-1])
    away = (
        UnreachableError,
        f"cannot be reached ({cause})",
        "check that it runs and that its URL is right",
    )
    error: type[DeployError]
    known = urllib3.exceptions

    def came_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(entry, kinds) for entry in chain)

    if came_of(known.ProxyError, requests.exceptions.ProxyError):
        wants_login = "407" in cause
        error = RefusedError if wants_login else UnreachableError
        problem = f"is behind a proxy that does not let us through ({cause})"
        cure = f"{_LOGIN if wants_login else 'check HTTPS_PROXY'}, or name the host in NO_PROXY"
    elif came_of(ssl.SSLError, requests.exceptions.SSLError, known.SSLError):
        error, problem = RefusedError, f"failed the TLS handshake ({cause})"
        cure = "check that that port uses TLS"
        if came_of(ssl.SSLCertVerificationError):
            cure = "set 'ca_cert' to the authority that signed its certificate"
    elif came_of(known.NewConnectionError, known.ProtocolError):
        error, problem, cure = away
    elif came_of(requests.exceptions.Timeout, known.TimeoutError):
        error, problem = UnreachableError, f"did not answer within {round(passed, 1) or passed:g} s"
        cure = "check whether it is overloaded, then try again"
    elif came_of(requests.exceptions.ConnectionError, known.ProxyError):
        error, problem, cure = away
    elif exc.__class__ is OSError:
        error, problem = InputError, f"cannot be asked ({str(exc)[:_SHOWN]})"
        cure = "correct 'ca_cert', or REQUESTS_CA_BUNDLE without one"
    else:
        error, problem = InputError, f"cannot be asked ({type(exc).__name__})"
        cure = "correct its URL"
    return NoAnswerError(error, problem, cure)


def _chain(exc: BaseException) -> t.Iterator[BaseException]:
    """The exception and what it came of, the innermost last."""
    observed: list[BaseException] = []
    inner: BaseException | None = exc
    while inner is not None and inner not in observed:
        observed.append(inner)
        yield inner
        wrapped = (argument for argument in inner.args if isinstance(argument, BaseException))
        reason = getattr(inner, "reason", None)
        inner = (
            (reason if isinstance(reason, BaseException) else None)
            or next(wrapped, None)
            or inner.__cause__
            or inner.__context__
        )


def _words(cause: BaseException) -> str:
    """Such as 'Connection refused', without the objects requests wraps it in."""
    for name in ("verify_message", "strerror", "reason"):
        if text := getattr(cause, name, None):
            return str(text)[:_SHOWN]
    return (str(cause) or type(cause).__name__)[:_SHOWN]


def _reason(given: t.Any) -> str:
    """One entry of a list of errors."""
    return str(given.get("code", given) if isinstance(given, dict) else given)


def relax(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, which verifies as before, but refuses no authority for what only RFC 5280 to the letter wants.

    From Python 3.13 on a context refuses, for example, an authority without keyUsage
    (https://docs.python.org/3/library/ssl.html#ssl.create_default_context). Those of clusters are often so.
    It also trusts an intermediate authority that is named itself, as newer Pythons and Go do.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
