"""What a benchmark is given, a size, and what it gives: numbers with a unit, some with what they should be."""

import typing as t
from dataclasses import dataclass
from enum import StrEnum


class Size(StrEnum):
    """How much of it there is: all, to be measured, or so little that each change can see whether it still works."""

    SMALL = "small"
    FULL = "full"

    def of[T](self, *, small: T, full: T) -> T:
        return small if self is Size.SMALL else full


@dataclass(frozen=True)
class Measurement:
    """`target` is the highest value that is good; a benchmark only tells, it never fails for it.

    `goal` is what the table of all goals calls it.
    """

    name: str
    value: float
    unit: t.Literal["s", "MB", "ratio", "count"]
    target: float | None = None
    note: str = ""
    goal: str = ""


class BenchmarkError(Exception):
    """Why there is nothing to measure, in one sentence."""


class Benchmark(t.Protocol):
    def __call__(self, size: Size = Size.FULL) -> t.Iterable[Measurement]:
        """Measures from nothing to the end, and leaves nothing behind. At a small size: a few seconds of CPU, and no
        time that anybody may compare."""
