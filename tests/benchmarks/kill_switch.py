# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill switch from the command to every pod off, against the same by hand: kubectl patch, restart and status."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import SEED_MB, Stage, stage, when

USUAL = 5
"""Seconds that a pod of a real service takes to become ready; the sandbox's need none."""
RESTARTS_APART = 1.1
"""Seconds: kubectl refuses two restarts within one."""
TASK = "easymo.deploy.kill_switch"
CONSUMER = "deployment/agent-core"
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
            kubectl.slow_down(ready)
            by_hand, switched = compare(place, kubectl, rounds)
            pods = f"pods of {ready} s"
            yield Measurement(f"{pods}, by hand", by_hand, "s", note="patch, restart, status")
            yield Measurement(f"{pods}, the switch", switched, "s", note="and every pod proven")
            yield Measurement(f"{pods}, the switch to by hand", switched / by_hand, "ratio", target)


def compare(place: Stage, kubectl: Kubectl, rounds: int) -> tuple[float, float]:
    by_hand, switched = [], []
    for _round in range(rounds):
        kubectl.set(ON)
        time.sleep(RESTARTS_APART)
        began = time.monotonic()
        kubectl.set(OFF)
        by_hand.append(time.monotonic() - began)
        time.sleep(RESTARTS_APART)
        kubectl.set(ON)
        started = datetime.now(UTC)
        run = place.play("kill_switch.yml", "-e", "reason=benchmark")
        switched.append((when(run.finished(TASK)[0]) - started).total_seconds())
        place.play("kill_switch.yml", "-e", "reason=benchmark", "-e", "reset=true")
    return min(by_hand), min(switched)


class Kubectl:
    def __init__(self, place: Stage) -> None:
        program = str(Path(sys.executable).with_name("kubectl"))
        config = place.state / "run" / "kubernetes" / "kubeconfig"
        self._argv = [program, f"--kubeconfig={config}", "--namespace=easymo-prod"]

    def set(self, data: dict[str, str]) -> None:
        """As a person does it, until every pod was replaced."""
        patch = json.dumps({"data": data})
        self._run("patch", "configmap", "feature-flags", "--type=merge", "-p", patch)
        self._run("rollout", "restart", CONSUMER)
        self._run("rollout", "status", CONSUMER, "--timeout=120s")

    def slow_down(self, seconds: int) -> None:
        """Let pods count only once they were ready for so long."""
        patch = json.dumps({"spec": {"minReadySeconds": seconds}})
        self._run("patch", CONSUMER, "--type=merge", "-p", patch)

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [*self._argv, *words], capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode:
            raise BenchmarkError(f"kubectl {' '.join(words)}: {done.stderr.strip()[-300:]}")
