"""How long the sandbox takes to come up when its cache is warm, to go down, and how much memory it needs."""

import json
import time
import typing as t

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, Stage, own_stage


def sandbox_start(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    repeats = size.of(small=1, full=3)
    words = ("up", "--seed-mb", SEED_MB, *size.of(small=("--only", "valkey"), full=()))
    with own_stage() as place:
        if size is Size.FULL:
            _timed(place, *words)  # warms the cache
            _timed(place, "down")
        rounds = sorted(_round(place, words) for _ in range(repeats))
    up, slowest, memory, down = rounds[repeats // 2]
    yield Measurement("up, warm", up, "s", target=6, note=f"median of {repeats}; last: {slowest}")
    yield Measurement("memory (PSS)", memory, "MB", target=1000)
    yield Measurement("down", down, "s")


def _round(place: Stage, words: tuple[str, ...]) -> tuple[float, str, float, float]:
    """Seconds to come up, the component that was ready last, megabytes, seconds to go down."""
    up = _timed(place, *words)
    components = json.loads(place.sandbox("status", "--json"))["components"]
    memory = sum(each["memory_mb"] or 0 for each in components.values())
    last = max(components, key=lambda name: components[name]["seconds"] or 0)
    return up, last, memory, _timed(place, "down")


def _timed(place: Stage, *words: str) -> float:
    began = time.monotonic()
    place.sandbox(*words)
    return time.monotonic() - began
