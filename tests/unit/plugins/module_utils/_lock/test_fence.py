import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import (
    FRESH,
    LeaseCheck,
    lease_check_for,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    FrozenError,
    LeaseLostError,
)
from tests.fakes.lock import NAME, Scene


def guard(scene: Scene, fence: int = 1) -> LeaseCheck:
    return LeaseCheck(scene.cluster, NAME, fence, clock=scene.clock, wall=scene.wall)


@pytest.mark.parametrize("loss", ["taken over", "freed", "deleted", "taken again by the same run"])
def test_a_lost_lock_stops(held, loss):
    standing = guard(held)
    standing.check()
    match loss:
        case "taken over":
            held.locking(held.claim("joe", "there", reason="me")).hold(force=True)
        case "deleted":
            held.cluster.delete("Lease", NAME)
        case _:
            held.locking(held.claim()).free()
            if loss != "freed":
                held.locking(held.claim()).hold()
    held.clock.sleep(FRESH)
    with pytest.raises(LeaseLostError):
        standing.check()


def test_a_look_counts_for_five_seconds_and_no_longer(held):
    standing = guard(held)
    standing.check()
    looks = len(held.cluster.requests)
    held.clock.sleep(FRESH - 0.1)
    standing.check()
    assert len(held.cluster.requests) == looks
    held.clock.sleep(0.1)
    standing.check()
    assert len(held.cluster.requests) > looks


def test_a_freeze_stops_a_run_that_holds_the_lock(held):
    held.freeze(reason="Black Friday", by="eve")
    with pytest.raises(FrozenError, match="eve"):
        guard(held).check()


def test_a_freeze_does_not_stop_a_run_that_holds_the_lock_to_go_back(held):
    held.locking(held.claim("joe", "there", purpose="undo")).hold()
    held.freeze(reason="Black Friday", by="eve")
    guard(held, fence=2).check()
    with pytest.raises(LeaseLostError):
        guard(held).check()


def test_a_fresh_look_trusts_no_earlier_one(held):
    standing = guard(held)
    standing.check()
    held.locking(held.claim("joe", "there", reason="me")).hold(force=True)
    standing.check()
    with pytest.raises(LeaseLostError, match="joe@there"):
        standing.check(fresh=True)


def test_a_lost_lock_is_told_before_a_freeze(held):
    held.freeze(reason="Black Friday")
    with pytest.raises(LeaseLostError):
        guard(held, fence=7).check()


def test_a_lock_out_of_sight_lets_nobody_through_and_that_look_is_not_remembered_as_good(held):
    standing = guard(held)
    standing.check()
    held.clock.sleep(FRESH)
    held.cluster.out_of_sight = True
    with pytest.raises(UnreachableError):
        standing.check()
    held.cluster.out_of_sight = False
    held.cluster.delete("Lease", NAME)
    with pytest.raises(LeaseLostError):
        standing.check()


def test_without_a_fence_nothing_is_asked(held):
    looks = len(held.cluster.requests)
    lease_check_for(held.cluster, 0, clock=held.clock).check()
    assert len(held.cluster.requests) == looks
