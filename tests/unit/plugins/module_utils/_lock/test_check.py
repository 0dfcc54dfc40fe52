import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.errors import LeaseLostError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.fence import (
    AGAIN,
    Guard,
    check_of,
)
from tests.fakes.cluster import FakeClock
from tests.fakes.lock import NAME, Scene


class Away:
    """An API server that is out of reach until a moment."""

    def __init__(self, guard: Guard, clock: FakeClock, until: float) -> None:
        self._guard = guard
        self._clock = clock
        self._until = until

    def check(self) -> None:
        if self._clock.now() < self._until:
            raise UnreachableError("The API server cannot be reached.")
        self._guard.check()


def check(scene: Scene, *, away: float, patience: float) -> list[str]:
    """What is told meanwhile."""
    told: list[str] = []
    guard = Guard(scene.cluster, NAME, 1, clock=scene.clock, wall=scene.wall)
    asked: t.Any = Away(guard, scene.clock, scene.clock.now() + away)
    check_of(asked, scene.clock, patience, lambda _event, text, _data: told.append(text))()
    return told


def test_a_cluster_that_comes_back_in_time_is_asked_again_and_that_is_told(held: Scene) -> None:
    told = check(held, away=2 * AGAIN, patience=600)
    assert len(told) == 2
    assert told[0] == (
        "The deploy lock is out of sight: The API server cannot be reached. It is asked for another 600 s."
    )


def test_without_patience_it_fails_at_once(held: Scene) -> None:
    with pytest.raises(UnreachableError):
        check(held, away=1, patience=0)


def test_patience_ends(held: Scene) -> None:
    began = held.clock.now()
    with pytest.raises(UnreachableError):
        check(held, away=1e9, patience=60)
    assert held.clock.now() - began == 60


def test_what_was_lost_meanwhile_is_lost(held: Scene) -> None:
    held.locking(held.claim()).free()
    with pytest.raises(LeaseLostError):
        check(held, away=AGAIN, patience=60)
