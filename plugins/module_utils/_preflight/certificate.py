# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long the TLS certificate of an endpoint is still valid, verified as its clients do."""

from __future__ import annotations

import socket
import ssl
import struct
import typing as t
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from .._errors import InputError, RefusedError, UnreachableError
from .._http import REQUESTS, authorities
from .._time import UTC
from .._tls import relax
from .models import Finding, Ground, Kind, Options, failed, passed, skipped
from .options import CLIENT

LONG_YEARS = 10
"""One that is valid for longer than that is told in years: its day is of no use."""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS; the server answers S or N in plain text."""


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    parts = urlsplit(options["url"])
    if parts.scheme == "http":
        return [skipped(f"{options['url']} has no TLS")]
    if not parts.hostname or parts.scheme not in ("https", "tls", "postgresql"):
        raise InputError(
            f"The URL {options['url']!r} must be https://, tls:// or postgresql:// with a host."
        )
    port = parts.port or {"https": 443, "postgresql": 5432}.get(parts.scheme)
    if port is None:
        raise InputError(f"The URL {options['url']!r} has no port.")
    context = _context(options)
    ends = _read_end(parts.scheme, parts.hostname, port, context, ground.timeout)
    return [judge(ends, ground.now, options["days"])]


def judge(ends: datetime, now: datetime, days: int) -> Finding:
    left = ends - now
    years = left.days // 365
    told = (
        f"valid for {years} years more"
        if years > LONG_YEARS
        else f"valid until {ends:%Y-%m-%d %H:%M UTC}, {left.days} days from now"
    )
    if left < timedelta(days=days):
        return failed(f"{told}, but {days} days are required: renew it")
    return passed(told)


def _read_end(
    scheme: str, host: str, port: int, context: ssl.SSLContext, timeout: float
) -> datetime:
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=timeout) as plain:
            if scheme == "postgresql":
                _ask_for_tls(plain, where)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                told = t.cast("dict[str, t.Any]", secured.getpeercert())
    except ssl.SSLCertVerificationError as exc:
        raise RefusedError(
            f"the certificate of {where} is not accepted ({exc.verify_message}): renew it, or correct "
            "'ca_cert'."
        ) from None
    except ssl.SSLError as exc:
        raise RefusedError(f"{where} has no TLS ({exc.reason}).") from None
    except OSError as exc:
        raise UnreachableError(f"{where} cannot be reached ({exc.strerror or exc}).") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)


def _ask_for_tls(plain: socket.socket, where: str) -> None:
    plain.sendall(SSL_REQUEST)
    answer = plain.recv(1)
    if answer != b"S":
        raise RefusedError(f"PostgreSQL at {where} offers no TLS: turn it on there.")


def _context(options: Options) -> ssl.SSLContext:
    # The authorities that requests has are those which our calls trust.
    authority = options["ca_cert"] or authorities()
    try:
        context = relax(ssl.create_default_context(cafile=authority))
    except OSError as exc:
        raise InputError(
            f"{authority} holds no certificate authorities ({exc.strerror or exc})."
        ) from None
    if options["client_cert"]:
        try:
            context.load_cert_chain(options["client_cert"], options["client_key"] or None)
        except OSError as exc:
            raise InputError(
                f"{options['client_cert']} is not a client certificate with its key ({exc.strerror or exc})."
            ) from None
    return context


KIND = Kind(
    look,
    {
        "url": {"type": "str", "required": True},
        "ca_cert": {"type": "path"},
        **CLIENT,
        "days": {"type": "int", "default": 14},
    },
    (REQUESTS,),
)
