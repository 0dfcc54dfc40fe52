# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of the six roles of the design card, by molecule; tests/integration/role_scenarios has the others."""

from __future__ import annotations

import os
import subprocess

from sandbox.world import World
from tests.caches import ROOT


def test_every_scenario_passes(world: World) -> None:
    log = ROOT / ".cache/molecule/molecule.log"
    log.parent.mkdir(parents=True, exist_ok=True)
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
    log.write_text(done.stdout, encoding="utf-8")
    assert done.returncode == 0, _first_failure(done.stdout)


def _first_failure(output: str) -> str:
    """From Ansible's first error on; the end, where it printed none."""
    _, error, cause = output.partition("[ERROR]")
    return (error + cause)[:6000] or output[-6000:]
