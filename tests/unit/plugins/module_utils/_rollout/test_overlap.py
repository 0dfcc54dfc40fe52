"""Waves that begin while those before them soak: which may begin, what goes back with what, and in which order."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import SOAK_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.overlap import (
    ENDED,
    FAILED,
    PROVEN,
    RETURNING,
    ROLLED,
    Overlap,
    Place,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import Pin
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME
from tests.unit.plugins.module_utils._rollout.test_liveness import SLOW, probed
from tests.unit.plugins.module_utils._rollout.test_runner import NEW, OLD, Denying, World

WAVES = (("wallet",), ("agent", "buyer"), ("vendor",))


def begun(waves: t.Sequence[t.Sequence[str]] = WAVES, count: int = 3, **options: t.Any) -> Overlap:
    """So many waves are under way, each begun when those before it had been rolled."""
    order = Overlap(waves, **options)
    for hosts in waves[:count]:
        assert order.begin_next() == hosts
        for host in hosts:
            order.reach(host, ROLLED)
    return order


@pytest.mark.parametrize(("overlaps", "needed"), [(True, ROLLED), (False, ENDED)])
def test_a_wave_begins_when_all_of_the_one_before_it_are_far_enough(overlaps, needed):
    order = Overlap(WAVES[1:], overlaps=overlaps)
    assert order.begin_next() == ("agent", "buyer")
    order.reach("agent", needed)
    assert order.begin_next() == ()
    order.reach("buyer", needed)
    assert (order.begin_next(), order.begin_next()) == (("vendor",), ())


@pytest.mark.parametrize("bad", ["goes back", "ends failed"])
def test_no_wave_begins_once_a_service_has_failed(bad):
    order = begun(count=1)
    if bad == "goes back":
        Place(order, "wallet").reach(RETURNING)
    else:
        order.reach("wallet", PROVEN, ENDED, FAILED)
    assert order.begin_next() == ()


def test_what_goes_back_takes_all_of_later_waves_and_none_beside_it_and_waits_for_them():
    order = begun()
    Place(order, "agent").reach(RETURNING)
    assert [Place(order, host).cause() for host in ("wallet", "agent", "buyer", "vendor")] == [
        *("", "", "", "agent")
    ]
    Place(order, "vendor").reach(RETURNING)
    assert (Place(order, "vendor").is_last_back(), Place(order, "agent").is_last_back()) == (
        True,
        False,
    )
    order.reach("vendor", PROVEN, ENDED, FAILED)
    assert Place(order, "agent").is_last_back()


def test_two_that_fail_at_once_in_different_waves_go_back_the_later_first():
    order = begun()
    Place(order, "vendor").reach(RETURNING)
    Place(order, "wallet").reach(RETURNING)
    assert {Place(order, host).cause() for host in ("agent", "buyer", "vendor")} == {"wallet"}
    for host in ("agent", "buyer", "vendor"):
        assert not Place(order, "wallet").is_last_back()
        order.reach(host, PROVEN, ENDED, FAILED)
    assert Place(order, "wallet").is_last_back()


def test_none_is_proven_before_all_of_earlier_waves_are():
    order = begun()
    assert [Place(order, host).is_held() for host in ("wallet", "agent", "vendor")] == [
        False,
        True,
        True,
    ]
    order.reach("wallet", PROVEN)
    order.reach("agent", PROVEN)
    assert [Place(order, host).is_held() for host in ("agent", "vendor")] == [False, True]
    assert not Place(order, "vendor").is_in_doubt()
    # Failed, and not undone: there is nothing to wait for, but a later run may take both back.
    order.reach("buyer", PROVEN, ENDED, FAILED)
    assert (Place(order, "vendor").is_held(), Place(order, "vendor").is_in_doubt()) == (False, True)


def test_a_service_that_is_not_well_holds_up_the_next_wave_until_its_end():
    order = Overlap([["wallet"], ["vendor"]])
    order.begin_next()
    with pytest.raises(ZeroDivisionError):
        Place(order, "wallet", lambda: 1 / 0)._be_well()
    assert order.begin_next() == ()
    Place(order, "wallet")._be_well()
    assert order.begin_next() == ["vendor"]


@pytest.fixture
def world() -> World:
    return World()


def second() -> Place:
    """Of the second wave, while the first soaks."""
    return Place(begun([("first",), (NAME,)]), NAME)


@pytest.mark.parametrize("when", ["rolling", "complete", "in its soak"])
def test_one_that_began_goes_back_with_one_of_an_earlier_wave(world, when):
    if when == "in its soak":
        probed(world, **SLOW)
    world.pin, place = Pin.of(world.deployment()), second()

    def fail() -> None:
        soaks = any("watched for restarts" in line for line in world.reports)
        due = {"rolling": True, "complete": world.deployment().complete, "in its soak": soaks}
        if world.image == NEW and due[when]:
            Place(place.overlap, "first").reach(RETURNING)

    world.clock.listeners.append(fail)
    error = world.fail(NEW, pin=world.pin, place=place)
    assert (error.reason, error.details["result"]) == ("EarlierWaveFailed", "rolled_back")
    assert "first of an earlier wave failed in its soak" in str(error)
    assert (world.image, error.details["diagnosis"]) == (OLD, {})


def test_one_that_has_written_nothing_yet_writes_nothing(world):
    place = second()
    Place(place.overlap, "first").reach(RETURNING)
    error = world.fail(NEW, place=place)
    assert (error.reason, error.details["result"]) == ("EarlierWaveFailed", "blocked")
    assert world.cluster.writes == []


def test_a_run_that_lost_the_lock_takes_nothing_back(world):
    place = second()
    world.clock.listeners.append(
        lambda: Place(place.overlap, "first").reach(RETURNING) if world.image == NEW else None
    )
    guard = Denying(LeaseLostError("Bob has it."), passes=1)
    error = world.fail(NEW, pin=world.pin, place=place, guard=guard)
    assert (error.details["result"], world.image) == ("lease_lost", NEW)


def test_one_is_not_done_and_keeps_its_mark_while_one_of_an_earlier_wave_soaks(world):
    """For a run that is killed meanwhile: the next one has to soak both. The wait is no part of `wait_timeout`."""
    probed(world, **SLOW)
    place, marked, deadlines = second(), [], []
    place.overlap.longest = 900.0

    def until(deadline: float) -> MemoryCluster:
        deadlines.append(deadline)
        return world.cluster

    world.cluster.until = until  # type: ignore[method-assign]

    def proven() -> None:
        if world.image == NEW and world.clock.now() < 1000:
            marked.append(SOAK_ANNOTATION in world.body()["metadata"]["annotations"])
        elif world.image == NEW:
            place.overlap.reach("first", PROVEN)

    world.clock.listeners.append(proven)
    outcome = world.roll(place=place, wait_timeout=60.0)
    assert (outcome.result, all(marked), world.clock.now() > 1000) == ("succeeded", True, True)
    assert SOAK_ANNOTATION not in world.body()["metadata"]["annotations"]
    # A server that stumbles is asked again to the end.
    assert max(deadlines) > world.clock.now()


def test_a_restart_while_one_of_an_earlier_wave_soaks_is_a_failure(world):
    def restart() -> None:
        for (kind, _name), body in world.cluster.objects.items():
            if kind == "Pod" and world.clock.now() > 200 and world.image == NEW:
                body["status"]["containerStatuses"][0]["restartCount"] = 1

    world.clock.listeners.append(restart)
    assert world.fail(NEW, place=second()).reason == "RestartedInSoak"


def first_failing(world: World, **settings: t.Any) -> Place:
    """A service whose log lacks a line, with one of the next wave that has gone back at 300 s."""
    place = Place(begun([(NAME,), ("second",)]), NAME)

    def back() -> None:
        if world.clock.now() > 300:
            place.overlap.reach("second", PROVEN, ENDED, FAILED)
        elif Place(place.overlap, "second").cause():
            assert world.image == NEW

    world.clock.listeners.append(back)
    world.fail(NEW, pin=world.pin, place=place, log_line="listening on 8080", **settings)
    return place


def test_one_goes_back_after_those_of_later_waves(world):
    place = first_failing(world)
    assert (world.image, Place(place.overlap, "second").cause(), world.clock.now() > 300) == (
        OLD,
        NAME,
        True,
    )


def test_one_that_is_not_undone_takes_none_back(world):
    place = first_failing(world, undo_on_failure=False)
    assert (world.image, Place(place.overlap, "second").cause()) == (NEW, "")
    assert world.clock.now() < 300
