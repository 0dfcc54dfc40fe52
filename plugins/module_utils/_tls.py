# SPDX-License-Identifier: GPL-3.0-or-later
"""How strictly certificates are read: as kubectl, libpq and OpenSSL do by default."""

from __future__ import annotations

import ssl


def relax(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, which verifies as before, but refuses no authority for what only RFC 5280 to the letter wants.

    From Python 3.13 on a context refuses, for example, an authority without keyUsage
    (https://docs.python.org/3/library/ssl.html#ssl.create_default_context). Those of clusters are often so.
    It also trusts an intermediate authority that is named itself, as newer Pythons and Go do.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
