# SPDX-License-Identifier: GPL-3.0-or-later
"""Phase 4 killed a hundred times at seeded moments and run again each time: does it converge, and at what price?"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from sandbox.names import NAMESPACE, RELEASE_VERSION, SERVICES
from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError, Measurement
from tests.benchmarks.stage import Stage, busy_sandbox

KILLS = int(os.environ.get("EASYMO_BENCH_KILLS", "100"))
SEED = 4
EARLIEST, LATEST = 2.0, 25.0
"""Seconds after the start of a run."""
PLAYBOOK = "microservices.yml"


def kills() -> t.Iterator[Measurement]:
    chance = random.Random(SEED)
    killed, converged, extra = 0, 0, 0
    began = time.monotonic()
    with busy_sandbox() as place:
        while killed < KILLS:
            before = generations(place)
            while kill(place, chance.uniform(EARLIEST, LATEST)):
                killed += 1
                if killed == KILLS:
                    place.play(PLAYBOOK)
                    break
            after = generations(place)
            extra += sum(after[name][0] - before[name][0] - 1 for name in SERVICES)
            stale = [
                name for name in SERVICES if not after[name][1].endswith(f":v{RELEASE_VERSION}")
            ]
            if stale:
                raise BenchmarkError(f"After {killed} kills {', '.join(stale)} did not arrive.")
            converged += 1
            place.play("rollback.yml", "--tags", "services")
    note = f"seed {SEED}, {converged} releases, {(time.monotonic() - began) / 60:.0f} minutes"
    yield Measurement("kills, each followed by a rerun", killed, "count", note=note)
    yield Measurement("patches beyond one a service", extra, "count", target=0)


def kill(place: Stage, after: float) -> bool:
    """Whether the run was still there to be killed; it ended well otherwise."""
    process = place.begins(PLAYBOOK)
    try:
        rc = process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    if rc:
        raise BenchmarkError(f"{PLAYBOOK} ended with {rc} after a run that was killed.")
    return False


def generations(place: Stage) -> dict[str, tuple[int, str]]:
    """Generation and image of each service, as kubectl tells them."""
    kubeconfig = World(place.state).facts("kubernetes")["kubeconfig"]
    kubectl = Path(sys.executable).with_name("kubectl")
    argv = [
        kubectl,
        "--kubeconfig",
        kubeconfig,
        "-n",
        NAMESPACE,
        "get",
        "deployments",
        "-o",
        "json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return {
        one["metadata"]["name"]: (
            one["metadata"]["generation"],
            one["spec"]["template"]["spec"]["containers"][0]["image"],
        )
        for one in json.loads(done.stdout)["items"]
    }
