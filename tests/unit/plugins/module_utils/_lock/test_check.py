import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import (
    AGAIN,
    LeaseCheck,
    check_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from tests.fakes.cluster import FakeClock
from tests.fakes.lock import NAME, Scene


class Away:
    """An API server that is out of reach until a moment."""

    def __init__(self, guard: LeaseCheck, clock: FakeClock, until: float) -> None:
        self._guard = guard
        self._clock = clock
        self._until = until

    def check(self) -> None:
        if self._clock.now() < self._until:
            raise UnreachableError("The API server cannot be reached.")
        self._guard.check()


def check(scene: Scene, *, away: float, patience: float) -> list[str]:
    """What is told meanwhile."""
    messages: list[str] = []
    guard = LeaseCheck(scene.cluster, NAME, 1, clock=scene.clock, wall=scene.wall)
    away_check: t.Any = Away(guard, scene.clock, scene.clock.now() + away)
    check_of(away_check, scene.clock, patience, lambda _event, text, _data: messages.append(text))()
    return messages


def test_a_cluster_that_comes_back_in_time_is_asked_again_and_that_is_told(held):
    messages = check(held, away=2 * AGAIN, patience=600)
    assert len(messages) == 2
    assert messages[0] == (
        "The deploy lock is out of sight: The API server cannot be reached. It is asked for another 600 s."
    )


def test_without_patience_it_fails_at_once(held):
    with pytest.raises(UnreachableError):
        check(held, away=1, patience=0)


def test_patience_ends(held):
    began = held.clock.now()
    with pytest.raises(UnreachableError):
        check(held, away=1e9, patience=60)
    assert held.clock.now() - began == 60


def test_what_was_lost_meanwhile_is_lost(held):
    held.locking(held.claim()).free()
    with pytest.raises(LeaseLostError):
        check(held, away=AGAIN, patience=60)
