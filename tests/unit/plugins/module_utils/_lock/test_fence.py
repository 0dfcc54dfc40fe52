# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.errors import (
    FrozenError,
    LeaseLostError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.fence import (
    FRESH,
    NO_GUARD,
    Guard,
    guard_for,
)
from tests.fakes.lock import NAME, Scene


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.locking(scene.claim()).hold()
    return scene


def guard(scene: Scene, fence: int = 1) -> Guard:
    return Guard(scene.cluster, NAME, fence, clock=scene.clock, wall=scene.wall)


@pytest.mark.parametrize("loss", ["taken over", "freed", "deleted", "taken again by the same run"])
def test_a_lost_lock_stops(scene: Scene, loss: str) -> None:
    standing = guard(scene)
    standing.check()
    match loss:
        case "taken over":
            scene.locking(scene.claim("joe", "there", reason="me")).hold(force=True)
        case "deleted":
            scene.cluster.delete("Lease", NAME)
        case _:
            scene.locking(scene.claim()).free()
            if loss != "freed":
                scene.locking(scene.claim()).hold()
    scene.clock.sleep(FRESH)
    with pytest.raises(LeaseLostError):
        standing.check()


def test_a_look_counts_for_five_seconds_and_no_longer(scene: Scene) -> None:
    standing = guard(scene)
    standing.check()
    looks = len(scene.cluster.requests)
    scene.clock.sleep(FRESH - 0.1)
    standing.check()
    assert len(scene.cluster.requests) == looks
    scene.clock.sleep(0.1)
    standing.check()
    assert len(scene.cluster.requests) > looks


def test_a_freeze_stops_a_run_that_holds_the_lock(scene: Scene) -> None:
    scene.freeze(reason="Black Friday", by="eve")
    with pytest.raises(FrozenError, match="eve"):
        guard(scene).check()


def test_a_freeze_does_not_stop_a_run_that_holds_the_lock_to_go_back(scene: Scene) -> None:
    scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    scene.freeze(reason="Black Friday", by="eve")
    guard(scene, fence=2).check()
    with pytest.raises(LeaseLostError):
        guard(scene).check()


def test_a_fresh_look_trusts_no_earlier_one(scene: Scene) -> None:
    standing = guard(scene)
    standing.check()
    scene.locking(scene.claim("joe", "there", reason="me")).hold(force=True)
    standing.check()
    with pytest.raises(LeaseLostError, match="joe@there"):
        standing.check(fresh=True)


def test_a_lost_lock_is_told_before_a_freeze(scene: Scene) -> None:
    scene.freeze(reason="Black Friday")
    with pytest.raises(LeaseLostError):
        guard(scene, fence=7).check()


def test_a_lock_out_of_sight_lets_nobody_through_and_that_look_is_not_remembered_as_good(
    scene: Scene,
) -> None:
    standing = guard(scene)
    standing.check()
    scene.clock.sleep(FRESH)
    scene.cluster.out_of_sight = True
    with pytest.raises(UnreachableError):
        standing.check()
    scene.cluster.out_of_sight = False
    scene.cluster.delete("Lease", NAME)
    with pytest.raises(LeaseLostError):
        standing.check()


def test_without_a_fence_nothing_is_asked(scene: Scene) -> None:
    assert guard_for(scene.cluster, 0, clock=scene.clock) is NO_GUARD
    looks = len(scene.cluster.requests)
    NO_GUARD.check()
    assert len(scene.cluster.requests) == looks
