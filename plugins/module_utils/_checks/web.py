# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what is asked over the web: clock, certificates, tokens and functions."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import time
import typing as t
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from textwrap import indent
from urllib.parse import urlsplit

from .. import _http
from .._doc_fragments._module import AUTHORITIES
from .._doc_fragments._supabase import SUPABASE
from .._errors import InputError, NotReadyError, RefusedError, UnreachableError
from .._functions.api import SupabaseFunctionsApi
from .._http import REQUESTS, client_certificate, verifying, without_query
from .._time import UTC
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, passed, skipped


def api_options(what: str, url: str) -> str:
    """Options for the API that a check of this kind asks: its address and its account."""
    return f"""    api_url:
      description: {what}
      type: str
      default: {url}
    token:
      description: Token that may read there.
      type: str
{indent(AUTHORITIES, " " * 4)}"""


def get_json(who: str, url: str, **how: t.Any) -> t.Any:
    """The JSON of a good answer. `how` as for `_http.send`."""
    where = f"{who} at {without_query(url)}"
    answer = _http.ask(where, "GET", url, headers={"Accept": "application/json, */*"}, **how)
    if answer.status == 404:
        raise NotReadyError(f"{where} is missing (HTTP 404): create it, or correct its URL.")
    _http.good(
        answer,
        where,
        forbidden="set a token that may read it",
        otherwise=(InputError, "correct its URL"),
    )
    try:
        return answer.json()
    except ValueError:
        raise InputError(f"{where} did not answer with JSON: correct its URL.") from None


def look_clock(options: Options, ground: Ground) -> Finding:
    """Whether this machine's clock agrees with that of a server, as the Date of its answers tells."""
    before = time.time()
    # Whatever it answers, its Date counts.
    answer = _http.ask(
        f"The server at {without_query(options['url'])}",
        "GET",
        options["url"],
        timeout=ground.timeout,
        ca_cert=options["ca_cert"],
        cert=client_certificate(options["client_cert"], options["client_key"]),
    )
    after, header = time.time(), answer.headers.get("Date", "")
    # The server wrote its time somewhere between `before` and `after`, cut to whole seconds.
    try:
        server = parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return held(f"the server's answer has no readable Date ({header[:40]!r})")
    behind, ahead = server - after, before - (server + 1)
    skew, bound = max(behind, ahead, 0.0), options["max_skew"]
    if skew > bound:
        way = "behind" if behind > 0 else "ahead of"
        return failed(
            f"this machine's clock is {skew:.0f} s {way} the server's, at most {bound:g} s are "
            "allowed: synchronise it by NTP; ages and windows depend on it"
        )
    return passed(f"within {max(1.0, skew):.0f} s of the server's clock")


SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS; the server answers S or N in plain text."""


def look_certificate(options: Options, ground: Ground) -> Finding:
    """For how long the TLS certificate of an endpoint is still valid, verified as its clients do."""
    url, parts = options["url"], urlsplit(options["url"])
    if parts.scheme == "http":
        return skipped(f"{url} has no TLS")
    if not parts.hostname or parts.scheme not in ("https", "tls", "postgresql"):
        raise InputError(f"The URL {url!r} must be https://, tls:// or postgresql:// with a host.")
    port = parts.port or {"https": 443, "postgresql": 5432}.get(parts.scheme)
    if port is None:
        raise InputError(f"The URL {url!r} has no port.")
    ends = _read_end(parts.scheme, parts.hostname, port, _context(options), ground.timeout)
    left, days = ends - ground.now, options["days"]
    text = f"valid until {ends:%Y-%m-%d %H:%M UTC}, {left.days} days from now"
    if left < timedelta(days=days):
        return failed(f"{text}, but {days} days are required: renew it")
    return passed(text)


def _read_end(
    scheme: str, host: str, port: int, context: ssl.SSLContext, timeout: float
) -> datetime:
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=timeout) as plain:
            if scheme == "postgresql":
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    raise RefusedError(f"PostgreSQL at {where} offers no TLS: turn it on there.")
            with context.wrap_socket(plain, server_hostname=host) as secured:
                certificate = t.cast("dict[str, t.Any]", secured.getpeercert())
    except ssl.SSLCertVerificationError as exc:
        raise RefusedError(
            f"the certificate of {where} is not accepted ({exc.verify_message}): renew it, or correct "
            "'ca_cert'."
        ) from None
    except ssl.SSLError as exc:
        raise RefusedError(f"{where} has no TLS ({exc.reason}).") from None
    except OSError as exc:
        raise UnreachableError(f"{where} cannot be reached ({exc.strerror or exc}).") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _context(options: Options) -> ssl.SSLContext:
    context = verifying(options["ca_cert"])
    if options["client_cert"]:
        try:
            context.load_cert_chain(options["client_cert"], options["client_key"] or None)
        except OSError as exc:
            raise InputError(
                f"{options['client_cert']} is not a client certificate with its key ({exc.strerror or exc})."
            ) from None
    return context


def look_token(options: Options, ground: Ground) -> Finding:
    """Whether a token outlives the release, as its own claim tells. It is read, not verified, and never shown."""
    if not options["token"]:
        return held("it is empty: set it")
    claims = read_claims(options["token"])
    if claims is None:
        return skipped("it is opaque: only its issuer knows its expiry")
    ends = claims.get("exp")
    if ends is None:
        return passed("it never expires")
    try:
        until = datetime.fromtimestamp(float(ends), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return held("its expiry cannot be read")
    text, minute = f"{until:%Y-%m-%d %H:%M UTC}", timedelta(minutes=1)
    if until <= ground.now:
        return failed(f"it expired at {text}: get a new one")
    if until < ground.now + options["minutes"] * minute:
        return failed(
            f"it expires at {text}, in {(until - ground.now) // minute} minutes, but the release may take "
            f"{options['minutes']}: get a new one"
        )
    return passed(f"it is valid until {text}")


def read_claims(token: str) -> dict[str, t.Any] | None:
    """The payload of a JSON Web Token; None for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def look_functions(options: Options, ground: Ground) -> Finding:
    """Whether the Management API lets the token in, the project's secrets are set, and its log can be read."""
    api = SupabaseFunctionsApi(options, timeout=ground.timeout)
    wanted, needed = options["functions"], options["secrets"]
    present, secrets = {entry.slug for entry in api.list()}, api.secrets()
    api.lines(["readiness"])
    unset = [entry for entry in needed if entry not in secrets]
    if unset:
        return failed(
            f"the project has no secret {', '.join(unset)}: set it in the dashboard or with "
            "easymo.deploy.edge_functions"
        )
    new = [entry for entry in wanted if entry not in present]
    text = f"; {', '.join(new)} come with the release" if new else ""
    return passed(
        f"{len(wanted) - len(new)} of {len(wanted)} functions are there, {len(needed)} secrets are set, "
        f"the log can be read{text}"
    )


_CLIENT = """    client_cert:
      description: File with our certificate, in PEM, for a server that asks for one.
      type: path
    client_key:
      description: File with its private key, when it is not in C(client_cert).
      type: path
"""
CLOCK_OPTIONS = f"""  description:
    - Whether this machine's clock agrees with that of a server, by the header Date of whatever it answers.
  suboptions:
    url:
      description: The URL to ask.
      type: str
      required: true
{indent(AUTHORITIES, " " * 4)}{_CLIENT}    max_skew:
      description: Seconds by which the clocks may differ.
      type: float
      default: 5
"""
CERTIFICATE_OPTIONS = f"""  description: Whether the TLS certificate of an endpoint is accepted and valid for
    long enough.
  suboptions:
    url:
      description:
        - The endpoint. C(https://host) and C(tls://host:port) begin with TLS, C(postgresql://host:port) asks
          for it as clients of PostgreSQL do, and C(http://host) has none and is skipped.
      type: str
      required: true
    ca_cert:
      description: File with the certificate authorities that its clients accept.
      type: path
{_CLIENT}    days:
      description: For how many days it must still be valid.
      type: int
      default: 14
"""
JWT_OPTIONS = """  description:
    - Whether a JSON Web Token ends only after the release, by its claim C(exp). An opaque token is skipped.
      It is never shown.
  suboptions:
    token:
      description: The token.
      type: str
      required: true
    minutes:
      description: For how many minutes it must be good.
      type: int
      default: 0
"""
FUNCTIONS_OPTIONS = f"""  description:
    - Whether the Management API lets the token in, the project has the secrets that its functions need, and the
      functions' log can be read.
  suboptions:
{indent(SUPABASE, " " * 4)}    functions:
      description: The functions of the release. Those that are not there yet are told.
      type: list
      elements: str
      default: []
    secrets:
      description: Names of the secrets that must be set. Values are never read.
      type: list
      elements: str
      default: []
"""

KINDS: Kinds = {
    "clock": Kind(look_clock, CLOCK_OPTIONS, (REQUESTS,)),
    "certificate": Kind(look_certificate, CERTIFICATE_OPTIONS, (REQUESTS,)),
    "token": Kind(look_token, JWT_OPTIONS),
    "functions": Kind(look_functions, FUNCTIONS_OPTIONS, (REQUESTS,)),
}
