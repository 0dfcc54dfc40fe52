"""Which tests begin first.

The tests of a file stay on one worker: they share a world, or follow one another. Levels come in the order of LEVELS,
for what only a few tests need is to be gone before others start. Within one, files that take longest come first, so
that all workers end together. `seconds.json` knows how long those took that need LEAST or more, and
`python -m tests.suite.order` renews it.
"""

import collections
import functools
import json
import typing as t
from pathlib import Path

import pytest

from tests.caches import ROOT
from tests.suite.steps import LOGS

RECORD = Path(__file__).with_name("seconds.json")
LEVELS = ("stories", "contract", "interop", "integration")
LEAST = 30
"""Seconds that a file takes at least to be listed."""


@functools.cache
def known_seconds() -> dict[str, float]:
    return t.cast("dict[str, float]", json.loads(RECORD.read_text(encoding="utf-8")))


def place(item: pytest.Item) -> tuple[int, float, str]:
    """Sorts the files; tests of one file stay in their order."""
    return _place_of_file(item.path)


@functools.cache
def _place_of_file(path: Path) -> tuple[int, float, str]:
    file = str(path.relative_to(ROOT))
    level = file.split("/")[1]
    rank = LEVELS.index(level) if level in LEVELS else len(LEVELS)
    return rank, -known_seconds().get(file, LEAST), file


def tests_of_last_run() -> list[dict[str, t.Any]]:
    """The events of `tests/suite/events.py`, one a test."""
    lines = (LOGS / "tests.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def main() -> None:
    seconds: collections.Counter[str] = collections.Counter()
    for test in tests_of_last_run():
        seconds[test["test"].partition("::")[0]] += test["seconds"]
    kept = {**known_seconds(), **{file: round(spent) for file, spent in seconds.items()}}
    there = {
        file: kept[file] for file in sorted(kept) if (ROOT / file).exists() and kept[file] >= LEAST
    }
    RECORD.write_text(json.dumps(there, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
