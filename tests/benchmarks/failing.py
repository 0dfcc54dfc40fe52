"""How late a failing rollout is called: from when the API first showed why, less the time that this must last."""

import json
import typing as t

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import collection_output

LATE = 2.0


def failing(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    for one in json.loads(collection_output("-m", "tests.benchmarks.failing_run", size)):
        name = f"{one['rule']}, quorum {one['quorum']}"
        note = f"must last {one['dwell']:.0f} s"
        yield Measurement(f"{name}: called after", one["after"], "s", note=note)
        yield Measurement("… and late by", one["late"], "s", LATE)
