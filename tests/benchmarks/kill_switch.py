"""The kill switch from the command to every pod off, against the same by hand: kubectl patch, restart and status."""

import json
import time
import typing as t
from datetime import UTC, datetime

from tests.benchmarks.kubectl import AGENT_CORE, Kubectl
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, Stage, stage, when

USUAL = 5
"""Seconds that a pod of a real service takes to become ready; the sandbox's need none."""
RESTARTS_APART = 1.1
"""Seconds: kubectl refuses two restarts within one."""
TASK = "easymo.deploy.kill_switch"
ON = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "10"}
OFF = {"FEATURE_AI_AGENTS": "false", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "0"}


def kill_switch(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of either."""
    paces = size.of(small=((0, None),), full=((0, None), (USUAL, 1.2)))
    rounds = size.of(small=1, full=2)
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubectl = Kubectl(place)
        for ready, target in paces:
            slow_down(kubectl, ready)
            by_hand, switched = compare(place, kubectl, rounds)
            pods = f"pods of {ready} s"
            yield Measurement(f"{pods}, by hand", by_hand, "s", note="patch, restart, status")
            yield Measurement(f"{pods}, the switch", switched, "s", note="and every pod proven")
            yield Measurement(f"{pods}, the switch to by hand", switched / by_hand, "ratio", target)


def compare(place: Stage, kubectl: Kubectl, rounds: int) -> tuple[float, float]:
    by_hand, switched = [], []
    for _round in range(rounds):
        kubectl.set_flags(ON)
        time.sleep(RESTARTS_APART)
        began = time.monotonic()
        kubectl.set_flags(OFF)
        by_hand.append(time.monotonic() - began)
        time.sleep(RESTARTS_APART)
        kubectl.set_flags(ON)
        started = datetime.now(UTC)
        run = place.play("kill_switch.yml", "-e", "reason=benchmark")
        switched.append((when(run.finished(TASK)[0]) - started).total_seconds())
        place.play("kill_switch.yml", "-e", "reason=benchmark", "-e", "reset=true")
    return min(by_hand), min(switched)


def slow_down(kubectl: Kubectl, seconds: int) -> None:
    """Let pods count only once they were ready for so long."""
    patch = json.dumps({"spec": {"minReadySeconds": seconds}})
    kubectl.run("patch", AGENT_CORE, "--type=merge", "-p", patch)
