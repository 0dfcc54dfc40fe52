# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine's clock agrees with that of a server, as the Date of its answers tells."""

from __future__ import annotations

import time
import typing as t
from email.utils import parsedate_to_datetime

from .._http import REQUESTS, client_certificate
from .http import ask
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import CLIENT


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    before = time.time()
    # Whatever it answers, its Date counts.
    answer = ask(
        "The server",
        options["url"],
        timeout=ground.timeout,
        ca_cert=options["ca_cert"],
        cert=client_certificate(options["client_cert"], options["client_key"]),
    )
    return [judge(answer.headers.get("Date", ""), before, time.time(), options["max_skew"])]


def judge(header: str, before: float, after: float, bound: float) -> Finding:
    """The server wrote its time somewhere between `before` and `after`, cut to whole seconds."""
    try:
        server = parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return held(f"the server's answer has no readable Date ({header[:40]!r})")
    behind, ahead = server - after, before - (server + 1)
    skew = max(behind, ahead, 0.0)
    if skew > bound:
        way = "behind" if behind > 0 else "ahead of"
        return failed(
            f"this machine's clock is {skew:.0f} s {way} the server's, at most {bound:g} s are "
            "allowed: synchronise it by NTP; ages and windows depend on it"
        )
    return passed(f"within {max(1.0, skew):.0f} s of the server's clock")


KIND = Kind(
    look,
    {
        "url": {"type": "str", "required": True},
        "ca_cert": {"type": "path"},
        **CLIENT,
        "max_skew": {"type": "float", "default": 5},
    },
    (REQUESTS,),
)
