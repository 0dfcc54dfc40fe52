# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a number of a record, of which nothing is certain. Pure."""

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
