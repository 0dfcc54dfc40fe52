# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL with TLS and production's two databases."""

from __future__ import annotations

import typing as t
from urllib.parse import quote, urlencode


def database_url(server: t.Mapping[str, t.Any], login: t.Mapping[str, t.Any]) -> str:
    """The libpq URL of `login`'s database on a server as its facts describe it, the certificate verified."""
    user, password = quote(login["user"], safe=""), quote(login["password"], safe="")
    tls = urlencode({"sslmode": "verify-full", "sslrootcert": server["ca_cert"]})
    return f"postgresql://{user}:{password}@{server['host']}:{server['port']}/{login['name']}?{tls}"
