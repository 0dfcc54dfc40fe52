# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of a record as a page may show them."""

from __future__ import annotations

import re
import typing as t

LONGEST = 2_000
"""Characters of one text on the page. The JSON file has the whole."""

# What could end a file early, or show a text otherwise than it is written: controls, lone surrogates, directions.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)


def legible(value: t.Any, limit: int = 0) -> t.Any:
    """The same with every text as it can be shown. With a limit, texts are also one line and no longer than that."""
    if isinstance(value, str):
        if limit:
            value = " ".join(value[: 2 * limit].split())
            value = value if len(value) <= limit else f"{value[:limit]}…"
        return UNSHOWN.sub("\ufffd", value)
    if isinstance(value, dict):
        return {legible(str(key), limit): legible(one, limit) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [legible(one, limit) for one in value]
    return value
