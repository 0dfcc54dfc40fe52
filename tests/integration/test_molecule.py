# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of the six roles of the design card, by molecule; tests/integration/role_scenarios has the others."""

from __future__ import annotations

import os
import subprocess

from sandbox.world import World
from tests.caches import ROOT


def test_every_scenario_passes(world: World) -> None:
    done = subprocess.run(
        [ROOT / "scripts/molecule"],
        cwd=ROOT,
        env={**os.environ, "EASYMO_SANDBOX_STATE": str(world.directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
