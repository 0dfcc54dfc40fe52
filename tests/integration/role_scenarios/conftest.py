# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role alone, as its folder's playbooks use it: in check mode, for real, and again, which changes nothing.

A folder has `converge.yml`, and `cleanup.yml` for the end; some have `prepare.yml` for before, `side_effect.yml` for
after, and `destroy.yml` as the last of all. Its tests then look with other tools than ours.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from sandbox.world import World
from tests.ansible_playbook import run_playbook
from tests.integration.role_scenarios.witness import Witness

CHANGED = re.compile(r"changed=([1-9]\d*)")
FOLDER = "ROLE_TEST_FOLDER"
"""Names a folder to the playbooks in which they leave what the tests read."""
NEVER_THE_SAME = ("diagnosis",)
"""Roles that make something of its own each time, and rightly."""


@pytest.fixture(scope="module", autouse=True)
def folder(
    world: World, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> t.Iterator[Path]:
    """What the playbooks left, once the role was converged."""
    here, left = request.path.parent, tmp_path_factory.mktemp(request.path.parent.name)

    def play(name: str, *options: str) -> str:
        playbook = here / f"{name}.yml"
        if not playbook.exists():
            return ""
        done = run_playbook(
            playbook,
            "-i",
            "inventories/sandbox",
            *options,
            EASYMO_SANDBOX_STATE=str(world.directory),
            **{FOLDER: str(left)},
        )
        assert done.returncode == 0, f"{name} {options}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
        return done.stdout

    try:
        play("prepare")
        play("converge", "--check")
        play("converge")
        if here.name not in NEVER_THE_SAME:
            again = play("converge")
            assert not CHANGED.search(again), f"A second run changed something: {again[-3000:]}"
        play("side_effect")
        yield left
    finally:
        play("cleanup")
        play("destroy")


@pytest.fixture(scope="session")
def witness(world: World) -> Witness:
    return Witness(json.loads(world.state_file.read_text(encoding="utf-8"))["components"])
