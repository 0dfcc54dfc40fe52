"""Every run that once broke something, as small as it got, and what an operator would have met."""

import json
import typing as t
from pathlib import Path

from .plan import Plan

FILE = Path(__file__).with_name("regressions.jsonl")


class Regression(t.NamedTuple):
    name: str
    met: str
    plan: Plan


def regressions() -> list[Regression]:
    return [_read(line) for line in FILE.read_text("utf-8").splitlines()]


def _read(line: str) -> Regression:
    found = json.loads(line)
    return Regression(found["name"], found["met"], Plan.from_text(line))
