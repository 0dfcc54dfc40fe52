# SPDX-License-Identifier: GPL-3.0-or-later
"""How late a failing rollout is called: from when the API first showed why, less the time that this must last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, RUN_WITHIN

LATE = 2.0


def failing(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.failing_run", size],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "playbooks" / "collections")},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_WITHIN,
    )
    if done.returncode:
        raise BenchmarkError(" ".join((done.stdout + done.stderr).split())[-500:])
    for one in json.loads(done.stdout):
        name = f"{one['rule']}, quorum {one['quorum']}"
        note = f"must last {one['dwell']:.0f} s"
        yield Measurement(f"{name}: called after", one["after"], "s", note=note)
        yield Measurement("… and late by", one["late"], "s", LATE)
