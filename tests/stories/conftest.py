"""A platform of its own for each story, at the release before: stories change everything."""

import typing as t

import pytest

from sandbox.lifecycle import Options, down, up
from sandbox.world import CACHE_VARIABLE, World
from tests.caches import SANDBOX_CACHE
from tests.firing_alerts import Fire, firing_alerts
from tests.stories.people import Operator, Witness

# A story is about what happens, not about how long it takes with much data: that is for the benchmarks.
SEED_MB = 10


@pytest.fixture(scope="module")
def world(request, tmp_path_factory) -> t.Iterator[World]:
    """REPLICAS of a story is how many pods each service has at most."""
    replicas = getattr(request.module, "REPLICAS", 1)
    options = Options(numbers={"seed_mb": SEED_MB, "replicas": replicas})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(SANDBOX_CACHE))
        platform = World(tmp_path_factory.mktemp("platform"))
        try:
            up(platform, options, print)
            yield platform
        finally:
            down(platform, print)


@pytest.fixture(scope="module")
def operator(world) -> Operator:
    return Operator(world)


@pytest.fixture(scope="module")
def witness(world) -> Witness:
    return Witness(world)


@pytest.fixture
def fire(world) -> t.Iterator[Fire]:
    with firing_alerts(world) as load:
        yield load
