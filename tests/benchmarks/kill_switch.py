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

from tests.benchmarks.measurement import BenchmarkError, Measurement
from tests.benchmarks.stage import SEED_MB, Stage, stage, when

ROUNDS = 3
RESTARTS_APART = 1.1
"""Seconds: kubectl refuses two restarts within one."""
TASK = "easymo.deploy.kill_switch"
CONSUMER = "deployment/agent-core"
ON = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "10"}
OFF = {"FEATURE_AI_AGENTS": "false", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "0"}


def kill_switch() -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of either."""
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubectl = Kubectl(place)
        by_hand, switched, whole = [], [], []
        for _round in range(ROUNDS):
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
            whole.append(run.seconds)
            place.play("kill_switch.yml", "-e", "reason=benchmark", "-e", "reset=true")
    note = f"best of {ROUNDS}"
    yield Measurement("by hand, until rollout status is done", min(by_hand), "s", note=note)
    yield Measurement("the switch, until every pod is proven", min(switched), "s", note=note)
    yield Measurement("with record and announcement", min(whole), "s", note=note)
    yield Measurement("the switch to by hand", min(switched) / min(by_hand), "ratio", target=1.2)


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

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [*self._argv, *words], capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode:
            raise BenchmarkError(f"kubectl {' '.join(words)}: {done.stderr.strip()[-300:]}")
