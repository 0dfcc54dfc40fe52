# SPDX-License-Identifier: GPL-3.0-or-later
"""PING a Redis server."""

from __future__ import annotations

import typing as t

from .._errors import RefusedError, UnreachableError
from .._library import Library
from .models import CheckError, Kind, Options

REDIS = Library("redis >= 6")
with REDIS:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry


def probe(options: Options, timeout: float) -> str:
    where = f"Redis at {options['host']}:{options['port']}"
    tls: dict[str, t.Any] = (
        {"ssl": True, "ssl_ca_certs": options["ca_cert"], "ssl_cert_reqs": "required"}
        if options["tls"]
        else {}
    )
    server = redis.Redis(
        host=options["host"],
        port=options["port"],
        username=options["username"],
        password=options["password"],
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # Whoever waits asks again by himself; retries in here would be hidden.
        retry=Retry(NoBackoff(), 0),
        **tls,
    )
    try:
        if not server.ping():
            raise CheckError(f"{where} does not answer PONG.")
    except redis.exceptions.AuthenticationError as exc:
        raise RefusedError(
            f"{where} refused the password; check 'username' and 'password'."
        ) from exc
    except redis.exceptions.TimeoutError as exc:
        raise UnreachableError(f"{where} did not answer within {timeout:g} s.") from exc
    except redis.exceptions.ConnectionError as exc:
        raise UnreachableError(f"{where} cannot be reached ({_reason(exc)}).") from exc
    except redis.exceptions.RedisError as exc:
        raise CheckError(f"{where} answered with an error: {_reason(exc)}.") from exc
    finally:
        server.close()
    return "PONG"


def _reason(exc: Exception) -> str:
    cause = exc.__cause__ or exc.__context__
    return str(getattr(cause, "strerror", None) or exc).rstrip(".")


KIND = Kind(
    probe,
    {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 6379},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "tls": {"type": "bool", "default": False},
        "ca_cert": {"type": "path"},
    },
    (REDIS,),
)
