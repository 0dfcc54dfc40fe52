# SPDX-License-Identifier: GPL-3.0-or-later
"""Many services in waves of fifty, in a process that does nothing else: wall, requests and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, RUN_WITHIN


def fleet(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.fleet_run"],
        cwd=REPOSITORY,
        env={
            **size.of(small={"EASYMO_FLEET": "3"}, full={}),
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "playbooks" / "collections"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_WITHIN,
    )
    if done.returncode:
        raise BenchmarkError(" ".join((done.stdout + done.stderr).split())[-500:])
    found = json.loads(done.stdout)
    note = (
        f"{found['services']} services of 3 pods, waves of {found['wave']}, {found['nodes']} nodes"
    )
    yield Measurement("critical path", found["critical"], "s", note=note)
    yield Measurement("wall to critical path", found["wall"] / found["critical"], "ratio", 1.15)
    yield Measurement("requests a service", found["requests"], "count", 30)
    yield Measurement("memory of the process", found["memory"], "MB", 300)
    yield Measurement("of it for the rollouts", found["rollouts_memory"], "MB")
