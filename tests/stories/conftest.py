# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform of its own for each story, at the release before: stories change everything."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from sandbox.lifecycle import Options, down, up
from sandbox.world import CACHE_VARIABLE, World
from tests.stories.people import Operator, Witness

CACHE = Path(__file__).parents[2] / ".sandbox" / "cache"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(CACHE))
        platform = World(tmp_path_factory.mktemp("platform"))
        up(platform, Options(), print)
        try:
            yield platform
        finally:
            down(platform, print)


@pytest.fixture(scope="module")
def operator(world: World) -> Operator:
    return Operator(world)


@pytest.fixture(scope="module")
def witness(world: World) -> Witness:
    return Witness(world)
