# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers that belong to one connection, which no proxy passes on."""

from __future__ import annotations

HOP_BY_HOP = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""In lower case (RFC 9110, 7.6.1), and the host, which every connection names anew."""
