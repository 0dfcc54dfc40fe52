# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Blank out what looks like a secret in text that others wrote: log lines, events, error bodies."""

from __future__ import annotations

import re

BLANK = "********"

PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(?<=://)([^\s:/@]+):[^\s@/]+@"), rf"\1:{BLANK}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), rf"\1 {BLANK}"),
    (
        re.compile(
            r"(?i)([\"']?[\w-]*(?:password|passwd|secret|token|api[_-]?key|authorization)[\w-]*[\"']?"
            r"\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;}]+)"
        ),
        rf"\1{BLANK}",
    ),
    # JSON Web Tokens, wherever they stand
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), BLANK),
)


def redact(text: str) -> str:
    for pattern, blank in PATTERNS:
        text = pattern.sub(blank, text)
    return text
