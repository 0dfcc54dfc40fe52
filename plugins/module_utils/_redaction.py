# SPDX-License-Identifier: GPL-3.0-or-later
"""Blank out what looks like a secret in text that others wrote: log lines, events, error bodies.

What to look for stands in `_secret_names`, `_secret_fields` and `_secret_forms`, and nowhere else.
"""

from __future__ import annotations

from ._secret_fields import blank_fields
from ._secret_forms import BLANK, blank_forms

__all__ = ["BLANK", "excerpt", "redact"]

LOOKED_AT = 16_384
"""Characters of a text of which an excerpt is shown."""
LAST_WORD = 4_096
"""Of them at the end, where a word may have been cut that does not look like a secret any more."""


def redact(text: str) -> str:
    # First what may have several lines, or parts that fields end at.
    return blank_fields(blank_forms(text))


def excerpt(text: str, limit: int) -> str:
    """The beginning of what others said, in one line of at most `limit` characters.

    Redacted before lines become one, as many a secret ends with its line, and before it is cut, so that no part of a
    secret is left over at the cut.
    """
    return " ".join(redact(_beginning(text)).split())[:limit]


def _beginning(text: str) -> str:
    """A part that is long enough, without the word that the cut goes through."""
    if len(text) <= LOOKED_AT:
        return text
    head = text[:LOOKED_AT]
    cut = max(head.rfind(space) for space in " \t\r\n")
    return head[:cut] if cut >= LOOKED_AT - LAST_WORD else head
