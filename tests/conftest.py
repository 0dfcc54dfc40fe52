# SPDX-License-Identifier: GPL-3.0-or-later
"""The running sandbox that integration, contract and story tests share, one for the whole session."""

from __future__ import annotations

import fcntl
import os
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sandbox.lifecycle import Options, down, up
from sandbox.record import records
from sandbox.world import CACHE_VARIABLE, World

SEED_MB = 10

# How fast examples come says more about the machine than about the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    """The sandbox of $EASYMO_SANDBOX_STATE when that is up, else a new one, taken down at the end."""
    given = os.environ.get("EASYMO_SANDBOX_STATE")
    if given and records(World(Path(given))):
        yield World(Path(given))
        return
    # Workers of pytest-xdist share the parent of their own temporary folders.
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with _shared_sandbox(World(shared / "sandbox")) as running:
        yield running


@contextmanager
def _shared_sandbox(world: World) -> t.Iterator[World]:
    """Up with the first worker that asks, down with the last one that leaves."""
    os.environ.setdefault(CACHE_VARIABLE, str(_cache()))
    running = World(world.directory)
    running.directory.mkdir(parents=True, exist_ok=True)
    with _counted(running, +1) as users:
        if users == 1:
            up(running, Options(seed_mb=SEED_MB), print)
    try:
        yield running
    finally:
        with _counted(running, -1) as users:
            if users == 0:
                down(running, print)


@contextmanager
def _counted(world: World, change: int) -> t.Iterator[int]:
    with (world.directory / "users").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = int(file.read() or 0) + change
        yield users
        file.truncate(0)
        file.write(str(users))


def _cache() -> Path:
    """Between sessions in the checkout's own cache, where a person's sandbox keeps its own too."""
    return Path(__file__).parent.parent / ".sandbox" / "cache"
