# SPDX-License-Identifier: GPL-3.0-or-later
"""Redacting what others wrote: ten times the text must take ten times as long, whatever is in it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._redaction import redact
from tests.benchmarks.measurement import Measurement, Size
from tests.fakes.long_texts import LONG_TEXTS, long_text


def redaction(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    length = size.of(small=1_000, full=100_000)
    seconds = {kind: cpu_seconds(long_text(kind, 10 * length)) for kind in LONG_TEXTS}
    ratios = {
        kind: taken / max(cpu_seconds(long_text(kind, length)), 1e-6)
        for kind, taken in seconds.items()
    }
    worst = max(ratios, key=ratios.__getitem__)
    slowest = max(seconds, key=seconds.__getitem__)
    shown = f"{10 * length // 1000} kB against {length // 1000} kB"
    yield Measurement("a log of the longest size", seconds["a log"], "s", 1.0)
    yield Measurement("the slowest text of that size", seconds[slowest], "s", 2.0, slowest)
    yield Measurement(
        "ten times as long, at worst", ratios[worst], "ratio", 15, f"{shown}: {worst}"
    )


def cpu_seconds(text: str) -> float:
    """The least of three."""
    return min(_once(text) for _ in range(3))


def _once(text: str) -> float:
    before = time.process_time()
    redact(text)
    return time.process_time() - before
