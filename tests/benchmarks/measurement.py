# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark gives: numbers with a unit, some with what they should be."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """`target` is the highest value that is good; a benchmark only tells, it never fails for it."""

    name: str
    value: float
    unit: t.Literal["s", "MB", "ratio", "count"]
    target: float | None = None
    note: str = ""


class BenchmarkError(Exception):
    """Why there is nothing to measure, in one sentence."""


class Benchmark(t.Protocol):
    def __call__(self) -> t.Iterable[Measurement]:
        """Measures from nothing to the end, and leaves nothing behind."""
