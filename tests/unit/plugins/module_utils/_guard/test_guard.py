"""The guard over a cluster in memory: one act for each cause, whatever happens around it."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    GUARD_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
)
from ansible_collections.easymo.deploy.plugins.module_utils._decode import dumped, restored
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._guard.memory import GuardMemory
from ansible_collections.easymo.deploy.plugins.module_utils._guard.tell import to_result, when
from tests.fakes.lock import Scene
from tests.unit.plugins.module_utils._guard.ramp_world import (
    DOWN,
    ERRORS,
    FLAG,
    METRIC,
    SLOW,
    RampWorld,
)
from tests.unit.plugins.module_utils._ramp.scenes import SCHEDULE

MINUTE, QUIET = 60.0, 600.0


def stepped_down() -> RampWorld:
    """A ramp that was at 25 % when an alert fired, and went back to 10 % for it."""
    world = RampWorld(percentage=25)
    world.fires(ERRORS)
    world.look()
    assert (world.percentage, len(world.acts)) == (10, 1)
    return world


def looking(world: RampWorld, seconds: float, **look: t.Any) -> None:
    """A look every minute."""
    for _minute in range(round(seconds / MINUTE)):
        world.passes(MINUTE).look(**look)


def test_a_look_at_a_ramp_that_is_well_tells_nobody_and_leaves_flags_and_record_alone():
    world = RampWorld()
    before = dict(world.flags)
    look = world.look()
    assert (look.news, look.choice.what, world.acts) == ((), "", ())
    assert world.flags == before
    assert world.cluster.writes == ["create ConfigMap"]  # its own memory
    assert to_result(look, 1, check_mode=False)["sentence"] == (
        "At 5 %, step 2 of 8. Nothing calls for the guard."
    )


def test_an_alert_for_people_changes_nothing_and_is_told_once():
    world = RampWorld()
    world.fires(SLOW)
    [news] = world.look().news
    assert (world.percentage, world.acts, news.page) == (5, (), "")
    looking(world, 300)
    world.ends(SLOW)
    looking(world, 300)
    assert [key for key in world.announced if key != news.key] == []
    looking(world, 600)
    [over] = [key for key in world.announced if key != news.key]
    assert over == f"{news.key}_over"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"keeps": False}, id="killed between its write and its memory"),
        pytest.param({"tells": False}, id="killed before it told anybody"),
        pytest.param({"keeps": False, "tells": False}, id="both"),
    ],
)
def test_a_guard_that_was_killed_is_not_repeated_and_what_it_did_is_told(bad):
    world = RampWorld(percentage=25)
    world.look()
    world.fires(ERRORS)
    acted = world.passes(MINUTE).look(**bad)
    assert world.percentage == 10
    [(key, page)] = [(announcement.key, announcement.page) for announcement in acted.news]
    looking(world, 900)
    assert (world.percentage, len(world.acts)) == (10, 1)
    assert (key in world.announced, page, world.look().news) == (True, "trigger", ())


def test_two_guards_that_look_at_once_act_once():
    world = RampWorld(percentage=25)
    world.fires(ERRORS)
    world.cluster.before_write = lambda: world.look()
    world.look()
    assert (world.percentage, len(world.acts)) == (10, 1)


def test_a_step_up_that_was_written_meanwhile_is_the_one_that_goes_back():
    world = RampWorld(percentage=5)
    world.fires(ERRORS)
    world.cluster.before_write = lambda: world.raise_to(10)
    look = world.look()
    assert (world.percentage, world.acts[-1].before, look.place.percentage) == (5, 10, 5)


def test_what_the_users_of_another_step_met_takes_nobody_out_of_this_one():
    world = RampWorld(percentage=5)
    world.monitoring.value = 0.2
    world.look()
    world.passes(MINUTE)
    world.cluster.before_write = lambda: world.raise_to(10)
    world.look()
    assert (world.percentage, world.acts) == (10, ())


def test_a_metric_beyond_its_bound_twice_in_a_row_goes_back_and_once_does_not():
    world = RampWorld()
    world.monitoring.value = 0.2
    world.look()
    assert world.percentage == 5
    world.passes(MINUTE).look()
    assert world.percentage == 1
    assert world.acts[-1].causes == (f"metric {METRIC}",)


def test_what_another_query_found_confirms_no_breach():
    world = RampWorld()
    world.monitoring.value = 0.2
    world.look()
    world.monitoring.query = "errors that users met"
    world.passes(MINUTE).look()
    assert world.percentage == 5
    world.passes(MINUTE).look()
    assert world.percentage == 1


def test_so_it_does_at_a_step_that_another_hand_took():
    world = RampWorld(percentage=5)
    world.put({**world.flags["data"], FLAG: "10"}, world.flags["metadata"]["annotations"])
    world.monitoring.value = 0.2
    world.look()
    world.passes(MINUTE).look()
    assert (world.percentage, world.acts[-1].before) == (5, 10)


def test_so_it_does_when_the_flags_were_set_once_more_below_the_ramp():
    world = RampWorld(percentage=5)
    world.flags_set_at = world.now
    world.monitoring.value = 0.2
    for _look in range(2):
        world.passes(MINUTE).look()
    assert (world.percentage, world.acts[-1].before) == (1, 5)


def test_two_looks_an_hour_apart_do_not_confirm_each_other():
    world = RampWorld()
    world.monitoring.value = 0.2
    world.look()
    world.passes(3600).look()
    assert (world.percentage, world.acts) == (5, ())
    assert any(key.startswith("guard_silent_") for key in world.announced)


def test_an_alert_that_flaps_is_one_cause_until_it_was_quiet():
    world = RampWorld(percentage=25)
    for _time in range(10):
        world.fires(ERRORS)
        looking(world, 2 * MINUTE)
        world.ends(ERRORS)
        looking(world, 5 * MINUTE)
    assert (world.percentage, len(world.acts)) == (10, 1)
    looking(world, QUIET)
    world.fires(ERRORS)
    looking(world, 1200)
    assert (world.percentage, len(world.acts)) == (5, 2)


def test_another_cause_waits_until_the_step_down_had_its_time_and_the_kill_switch_does_not():
    world = stepped_down()
    world.monitoring.value = 0.2
    looking(world, QUIET - 2 * MINUTE)
    assert world.percentage == 10
    looking(world, 3 * MINUTE)
    assert (world.percentage, world.acts[-1].causes) == (5, (f"metric {METRIC}",))
    world.fires(DOWN)
    world.passes(1).look()
    assert world.killed


def test_a_cause_that_lasts_is_told_again_and_not_acted_on_again():
    world = stepped_down()
    looking(world, 3600)
    assert (world.percentage, len(world.acts)) == (10, 1)
    assert [key for key in world.announced if key.endswith("_lasts")] == [
        f"guard_{world.acts[0].id}_lasts"
    ]
    world.ends(ERRORS)
    looking(world, 900)
    assert f"guard_{world.acts[0].id}_over" in world.announced


def test_an_outage_that_fires_for_each_service_is_one_message_and_one_when_it_is_over():
    world = RampWorld()
    world.monitoring.services = tuple("abcdefghij")
    world.fires(SLOW)
    [news] = world.look().news
    assert news.text.count(" fires") == 3
    assert " and 7 more. The percentage stays at " in news.text
    world.monitoring.services = ("a", "b")
    looking(world, 1200)
    world.ends(SLOW)
    looking(world, 1500)
    assert [*world.announced] == [news.key, f"{news.key}_over"]


def test_prometheus_gone_for_an_hour_is_no_cause_ends_none_and_is_told():
    world = stepped_down()
    world.monitoring.out_of_sight = True
    looking(world, 3600)
    assert (world.percentage, len(world.acts)) == (10, 1)
    blind = [cause for cause in world.look(check=True).observation.causes if cause.key == "sight"]
    assert "could not be seen since" in blind[0].text
    world.monitoring.out_of_sight = False
    looking(world, 3600)
    assert (world.percentage, len(world.acts)) == (10, 1), "the same alert, which nobody saw end"


def test_a_query_that_never_worked_hides_no_alert_and_is_told():
    world = RampWorld()
    world.monitoring.rejects = "relation does not exist"
    world.fires(ERRORS)
    world.look()
    assert world.percentage == 1
    looking(world, 1000)
    [blind] = [cause for cause in world.look(check=True).observation.causes if cause.key == "sight"]
    assert f"{METRIC} could not be seen since" in blind.text
    assert "relation does not exist" in blind.text


def causes_of_pods(world: RampWorld, **look: t.Any) -> list[str]:
    return [cause.text for cause in world.look(**look).observation.causes if cause.key == "pods"]


def test_pods_with_other_flags_are_told_and_not_while_an_act_is_on_its_way_to_them():
    world = stepped_down()
    world.runs_with(5)
    assert causes_of_pods(world.passes(MINUTE)) == []
    assert causes_of_pods(world.passes(MINUTE), by="guard@there", clock=30) == []
    [text] = causes_of_pods(world.passes(2 * MINUTE))
    assert text.startswith("not with the flags that are set: pod wallet-service-")
    assert "is '5' instead of '10'" in text


def test_pods_are_not_told_while_a_person_takes_users_out():
    world = RampWorld(percentage=25, day=9)
    world.look()
    world.runs_with(10)
    assert len(causes_of_pods(world.passes(4 * MINUTE))) == 1
    world.put({**world.flags["data"], FLAG: "5"}, world.flags["metadata"]["annotations"])
    assert causes_of_pods(world.passes(MINUTE), check=True) == []


@pytest.mark.parametrize(("alive", "causes"), [(True, 0), (None, 0), (False, 1)])
def test_pods_are_told_under_the_lock_of_a_dead_run_alone(alive, causes):
    """A rollout makes pods differ as expected."""
    world = RampWorld(percentage=25, day=9)
    scene = Scene()
    scene.cluster = world.cluster
    scene.locking(scene.claim()).hold()
    world.alive = alive
    world.look()
    world.runs_with(10)
    assert len(causes_of_pods(world.passes(4 * MINUTE))) == causes


def test_an_act_that_came_after_the_flags_were_read_is_on_its_way_too():
    world = RampWorld(percentage=10, day=9)
    world.look()
    world.runs_with(10)
    answer = world.cluster.execute

    def acts_meanwhile(*arguments: t.Any) -> str:
        world.put({**world.flags["data"], FLAG: "5"}, world.flags["metadata"]["annotations"])
        world.cluster.environments = {
            name: env.replace("=10", "=5") for name, env in world.cluster.environments.items()
        }
        return answer(*arguments)

    world.cluster.execute = acts_meanwhile  # type: ignore[method-assign]
    assert causes_of_pods(world.passes(4 * MINUTE), check=True) == []


def test_what_an_older_guard_kept_is_read_on():
    body = json.loads(dumped(GuardMemory(begun=1.0, last=2.0, looks=3)))
    del body["flags"]
    assert restored(GuardMemory, body, "guard") == GuardMemory(begun=1.0, last=2.0, looks=3)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_guard_whose_clock_is_wrong_acts_once(ahead):
    world = RampWorld(percentage=25)
    world.look()
    world.fires(ERRORS)
    world.passes(MINUTE).look(clock=ahead)
    assert (world.percentage, len(world.acts)) == (10, 1)
    for _time in range(30):
        world.passes(MINUTE / 2).look()
        world.passes(MINUTE / 2).look(clock=ahead)
    assert (world.percentage, len(world.acts)) == (10, 1)


def test_a_clock_that_jumps_ends_no_cause():
    world = stepped_down()
    world.ends(ERRORS)
    looking(world, MINUTE)
    world.look(clock=3600)
    world.fires(ERRORS)
    world.passes(QUIET).look()
    assert (world.percentage, len(world.acts)) == (10, 1)


def test_guards_whose_clocks_differ_end_no_cause_sooner():
    world = stepped_down()
    world.ends(ERRORS)
    for _time in range(8):
        world.passes(MINUTE / 2).look(by="guard@there", clock=3600)
        world.passes(MINUTE / 2).look()
    world.fires(ERRORS)
    looking(world, QUIET)
    assert (world.percentage, len(world.acts)) == (10, 1)


def test_a_guard_that_looks_from_another_pod_each_time_sees_a_cause_end():
    world = RampWorld(percentage=25)
    world.fires(ERRORS)
    world.look(by="guard@first")
    world.ends(ERRORS)
    for number in range(13):
        world.passes(MINUTE).look(by=f"guard@{number}")
    world.fires(ERRORS)
    world.passes(MINUTE).look(by="guard@last")
    assert (world.percentage, len(world.acts)) == (5, 2)


def test_a_memory_that_was_lost_after_the_cause_ended_keeps_it_from_nothing_for_ever():
    world = RampWorld(percentage=25)
    world.fires(ERRORS)
    world.look(keeps=False)
    world.ends(ERRORS)
    looking(world, QUIET + 2 * MINUTE)
    world.fires(ERRORS)
    looking(world, MINUTE)
    assert world.percentage == 5


def test_a_memory_that_was_lost_lets_it_act_on_nothing_twice():
    world = stepped_down()
    del world.cluster.objects["ConfigMap", "release-2.0.0-guard"]
    looking(world, 900)
    assert (world.percentage, len(world.acts)) == (10, 1)
    world.ends(ERRORS)
    looking(world, 2 * QUIET)
    world.fires(ERRORS)
    looking(world, MINUTE)
    assert world.percentage == 5, "it was seen to have ended, so this is another one"


def test_with_its_annotation_damaged_it_does_nothing_and_says_so():
    world = RampWorld(percentage=25)
    world.flags["metadata"]["annotations"][GUARD_ANNOTATION] = "[{]"
    world.fires(ERRORS)
    look = world.look()
    assert world.percentage == 25
    assert any("delete that annotation" in announcement.text.lower() for announcement in look.news)


def test_at_no_percentage_and_with_the_kill_switch_nobody_is_taken_out():
    world = RampWorld(percentage=1, day=1.5)
    world.fires(ERRORS)
    world.look()
    assert world.percentage == 0
    world.fires(DOWN)
    looking(world, 900)
    assert (world.killed, len(world.acts)) == (False, 1)


@pytest.mark.parametrize("status", ["running", "failed", "rolled_back"])
def test_it_rests_until_the_release_is_signed_off(status):
    world = RampWorld()
    world.fires(ERRORS)
    look = world.guard().look(world.record(status), None, check_mode=False)
    assert "is not signed off" in look.resting
    assert world.percentage == 5


def test_it_rests_when_the_ramp_is_complete():
    world = RampWorld(percentage=100, day=11)
    assert "complete at 100 %" in world.look().resting
    switch = KillSwitch("2026-12-01T12:00:00Z", "ann", "errors").to_annotation()
    annotations = world.flags["metadata"]["annotations"]
    world.put(world.flags["data"], {**annotations, KILL_SWITCH_ANNOTATION: switch})
    assert world.look().resting == ""


def test_check_mode_says_what_it_would_do_and_keeps_nothing():
    world = RampWorld()
    world.fires(ERRORS)
    look = world.look(check=True)
    result = to_result(look, 1, check_mode=True)
    assert (result["action"], result["changed"], world.percentage) == ("step_down", True, 5)
    assert result["sentence"].startswith("Would go back to 1 %, step 1 of 8, for High Error Rate")
    assert world.stored() is None


def test_the_ramp_is_told_that_nobody_looked():
    world = RampWorld()
    memory = world.look().memory
    assert memory is not None
    now = world.now.timestamp()
    assert when(memory, 900, now + 900)[1] == ""
    assert when(memory, 900, now + 901)[1].startswith("the guard looked last at ")
    assert when(None, 900, now)[1].startswith("the guard has not looked yet")
    assert when(None, 0, now)[1] == ""


def test_a_value_that_is_no_percentage_is_left_to_people():
    world = RampWorld()
    world.flags["data"][FLAG] = "many"
    world.fires(ERRORS)
    world.look()
    assert (world.flags["data"][FLAG], world.acts) == ("many", ())


def test_a_percentage_that_is_no_step_goes_to_the_step_below():
    world = RampWorld()
    world.flags["data"][FLAG] = "7"
    world.fires(ERRORS)
    world.look()
    assert (world.percentage, SCHEDULE.number(world.percentage)) == (5, 2)
