# SPDX-License-Identifier: GPL-3.0-or-later
"""Every run that once broke something, as small as it got, and what an operator would have met."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from .plan import Plan

FOLDER = Path(__file__).parent / "regressions"


class Regression(t.NamedTuple):
    name: str
    met: str
    plan: Plan


def regressions() -> list[Regression]:
    return [_read(path) for path in sorted(FOLDER.glob("*.json"))]


def _read(path: Path) -> Regression:
    text = path.read_text("utf-8")
    return Regression(path.stem, json.loads(text)["met"], Plan.from_text(text))
