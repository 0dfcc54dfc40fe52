# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and names in a sentence. Pure.

Read a number of a record, of which nothing is certain. Pure.
"""

from __future__ import annotations

import math
import typing as t


def number(value: t.Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        read = float(value)
    except OverflowError:
        return None
    return read if math.isfinite(read) else None


def counted(count: int, entry: str, many: str = "") -> str:
    return f"{count} {entry if count == 1 else many or entry + 's'}"


def listed(names: t.Sequence[str], most: int = 3, between: str = ", ") -> str:
    """All, or the first ones and how many more there are: never one more, which is named in place of that."""
    more = len(names) - most
    return between.join(names) if more < 2 else f"{between.join(names[:most])} and {more} more"
