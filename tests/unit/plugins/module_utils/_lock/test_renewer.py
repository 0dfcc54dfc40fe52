"""The keeper: renews while the run lives, gives back when it ends, and goes away when the lock is another's."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._lock.task import LeaseRenewer
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run
from ansible_collections.easymo.deploy.plugins.module_utils._time import parse_time
from tests.fakes.lock import NAME, Scene

ME = Run(machine="here", pid=77, started="5")


def keeper(
    scene: Scene, lives_until: float, *, during: t.Callable[[], None] = lambda: None, me: Run = ME
) -> LeaseRenewer:
    """Of ann's lock, whose run ends at a time of the fake clock."""
    claim = scene.claim()
    lock = scene.locking(claim).hold().after

    def ended(seconds: float) -> bool:
        scene.clock.sleep(min(seconds, max(lives_until - scene.clock.now(), 0)))
        during()
        return scene.clock.now() >= lives_until

    return LeaseRenewer(
        scene.cluster, lock, claim, me=me, ended=ended, clock=scene.clock, wall=scene.wall
    )


def test_the_lock_is_never_older_than_half_its_duration_while_the_run_lives(scene):
    ages = []

    def look() -> None:
        renewed = parse_time(scene.lock().renewed) if scene.lock().holder else None
        if renewed:
            ages.append((scene.wall() - renewed).total_seconds())

    keeper(scene, lives_until=1100, during=look).keep()
    assert len(ages) > 100
    assert max(ages) <= 30


def test_a_run_that_ends_gives_the_lock_back_at_once(scene):
    keeper(scene, lives_until=150).keep()
    assert (scene.lock().holder, scene.lock().fence, scene.clock.now()) == ("", 1, 150)


def test_a_lock_of_another_is_left_alone_and_the_keeper_goes_away(scene):
    def steal() -> None:
        if scene.lock().holder == "ann@here" and scene.clock.now() >= 150:
            scene.locking(scene.claim("joe", "there", reason="me")).hold(force=True)

    keeper(scene, lives_until=10_000, during=steal).keep()
    assert scene.lock().holder == "joe@there"
    assert scene.clock.now() < 160


def test_a_run_that_ends_leaves_its_successor_the_lock(scene):
    def steal() -> None:
        if scene.clock.now() >= 150:
            scene.locking(scene.claim("joe", "there", reason="me")).hold(force=True)

    keeper(scene, lives_until=150, during=steal).keep()
    assert scene.lock().holder == "joe@there"


@pytest.mark.parametrize("again", [False, True], ids=["freed", "freed and taken again"])
def test_a_lock_that_its_run_frees_has_no_keeper_any_more(scene, *, again):
    task = scene.locking(scene.claim())

    def free() -> None:
        if scene.lock().fence == 1 and scene.lock().holder:
            task.free()
            if again:
                task.hold()

    keeper(scene, lives_until=10_000, during=free).keep()
    assert (scene.lock().keeper, scene.clock.now() < 120) == (None, True)


def test_a_lease_that_is_deleted_is_not_made_again(scene):
    keeper(scene, 10_000, during=lambda: scene.cluster.delete("Lease", NAME)).keep()
    assert ("Lease", NAME) not in scene.cluster.objects


def test_trouble_with_the_api_is_sat_out(scene):
    def trouble() -> None:
        scene.cluster.out_of_sight = 150 <= scene.clock.now() < 190

    keeper(scene, lives_until=300, during=trouble).keep()
    assert scene.lock().holder == ""


def test_an_api_that_is_away_when_the_run_ends_is_asked_again(scene):
    def back() -> None:
        scene.cluster.out_of_sight = scene.clock.now() < 170

    scene.clock.listeners.append(back)
    renewer = keeper(scene, lives_until=150)
    renewer.keep()
    assert scene.lock().holder == ""


def test_of_two_keepers_the_later_one_goes_away(scene):
    second = keeper(scene, lives_until=10_000, me=Run("here", 78, "6"))
    names = []

    def look() -> None:
        if not names:
            second.keep()
        names.append(scene.lock().keeper)

    keeper(scene, lives_until=150, during=look).keep()
    assert set(names) - {None} == {ME}


def test_a_renewal_of_a_task_between_the_keeper_s_read_and_write_loses_nothing(scene):
    def renew() -> None:
        task = scene.locking(scene.claim())
        scene.cluster.before_write = lambda: task.hold()

    keeper(scene, lives_until=160, during=renew).keep()
    assert (scene.lock().holder, scene.lock().fence) == ("", 1)
