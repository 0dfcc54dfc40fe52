# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment, phase by phase, and a second one that has nothing to do."""

from __future__ import annotations

import typing as t

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import Run, busy_sandbox

# Enough for every rate to be known; what the watch takes is told apart from the rest.
WATCH = ("-e", "release_watch_duration=20", "-e", "release_watch_interval=2")
WATCHING = "easymo.deploy.metrics_gate"


def deployment(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    some = ("--tags", "microservices", "--limit", "agent-core,localhost")
    words = (*WATCH, *size.of(small=some, full=()))
    with busy_sandbox() as place:
        first = place.play("deploy_v2.yml", *words)
        second = place.play("deploy_v2.yml", *words)
    for name, seconds in first.phases().items():
        again = second.phases().get(name, 0.0)
        yield Measurement(name, seconds, "s", note=f"again, with nothing to do: {again:.1f} s")
    working, idle = first.seconds - watched(first), second.seconds - watched(second)
    yield Measurement("the first deployment", working, "s", note=apart(first))
    yield Measurement("a second one", idle, "s", target=60, note=apart(second))
    yield Measurement("the second to the first", idle / working, "ratio")
    for name, run in (("the first's CPU", first), ("the second's CPU", second)):
        yield Measurement(f"{name} to its time", run.cpu / run.seconds, "ratio", note="1 is a core")


def watched(run: Run) -> float:
    return sum(float(event["duration"]) for event in run.finished(WATCHING))


def apart(run: Run) -> str:
    return f"apart from a watch of {watched(run):.0f} s"
