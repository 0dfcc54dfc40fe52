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
def world(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> t.Iterator[World]:
    """With SEED_MB of data where the story's module says how much."""
    options = Options(seed_mb=getattr(request.module, "SEED_MB", Options().seed_mb))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(CACHE))
        platform = World(tmp_path_factory.mktemp("platform"))
        up(platform, options, print)
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
