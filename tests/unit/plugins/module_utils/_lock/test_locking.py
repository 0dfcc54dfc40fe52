"""Who gets the lock, who waits, and what they are told."""

import typing as t
from datetime import timedelta

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    FrozenError,
    LeaseLostError,
    LockClaim,
    LockedError,
)
from tests.fakes.lock import NAME
from tests.tables import cases


def test_a_free_lock_is_taken_with_the_next_epoch(scene):
    change = scene.locking(scene.claim()).hold()
    assert (change.changed, change.after.fence, scene.lock().holder) == (True, 1, "ann@here")


def test_a_run_that_holds_it_renews_it_and_that_is_no_change(scene):
    ann = scene.locking(scene.claim())
    ann.hold()
    scene.clock.sleep(30)
    change = ann.hold()
    assert (change.changed, change.after.fence) == (False, 1)
    assert change.to_diff()["before"] == change.to_diff()["after"]
    assert scene.lock().renewed > scene.lock().acquired


def test_check_mode_predicts_and_writes_nothing(scene):
    change = scene.locking(scene.claim()).hold(check_mode=True)
    assert (change.changed, change.after.fence) == (True, 1)
    scene.locking(scene.claim()).hold()
    with pytest.raises(LockedError):
        scene.locking(scene.claim("joe", "there")).hold(check_mode=True, wait=600)
    scene.locking(scene.claim()).free(check_mode=True)
    assert scene.cluster.writes == ["create Lease"]


def test_the_loser_learns_who_since_when_and_how_to_wait(scene):
    scene.locking(scene.claim(pid=4711, reason="big day", ticket="OPS-1")).hold()
    with pytest.raises(LockedError) as caught:
        scene.locking(scene.claim("joe", "there")).hold()
    message = str(caught.value)
    for part in (
        "ann@here (pid 4711)",
        "to deploy 2.0.0",
        "since 2026-11-24 12:00:00 UTC",
        "until 2026-11-24 12:01:00 UTC unless renewed",
        "big day; OPS-1",
    ):
        assert part in message
    assert caught.value.to_result()["lock"]["holder"] == "ann@here"
    assert caught.value.to_result()["reason"] == "Locked"


@cases(("first", "second"), {
    "two runs of one person on one machine": ({"pid": 1}, {"pid": 2}),
    "one pid, two boots": ({"machine": "before-reboot"}, {"machine": "after-reboot"}),
    "two undos": ({"purpose": "undo"}, {"who": "joe", "machine": "there", "purpose": "undo"}),
})  # fmt: skip
def test_two_runs_exclude_each_other(scene, first, second):
    scene.locking(scene.claim(**first)).hold()
    with pytest.raises(LockedError):
        scene.locking(scene.claim(**second)).hold()


def test_a_run_that_died_on_this_machine_is_succeeded_at_once(scene):
    first = scene.claim(pid=1)
    scene.locking(first).hold()
    assert first.run
    scene.dead.add(first.run)
    before = scene.clock.now()
    change = scene.locking(scene.claim(pid=2)).hold()
    assert (change.changed, change.after.fence, scene.clock.now()) == (True, 2, before)
    assert change.after.stolen_from.startswith("ann@here 2.0.0 epoch 1")


def test_one_that_nobody_renews_is_taken_over_after_a_whole_duration_without_a_person(scene):
    scene.locking(scene.claim()).hold()
    scene.clock.sleep(3600)
    before = scene.clock.now()
    change = scene.locking(scene.claim("joe", "there")).hold()
    assert change.after.fence == 2
    assert 60 <= scene.clock.now() - before <= 63
    assert len(scene.reports) == 1


@pytest.mark.parametrize("jump", [timedelta(hours=9), timedelta(hours=-9)], ids=["ahead", "behind"])
def test_a_wall_clock_that_jumps_never_takes_a_lock_that_is_renewed(scene, jump):
    ann = scene.locking(scene.claim())
    ann.hold()
    scene.jump = jump
    renewed = [scene.clock.now()]

    def renew() -> None:
        if scene.clock.now() - renewed[0] >= 20:
            renewed[0] = scene.clock.now()
            scene.cluster.put("Lease", scene.cluster.objects["Lease", NAME])
        assert scene.clock.now() < 2000, "whoever waits waits for ever"

    scene.clock.listeners.append(renew)
    with pytest.raises(LockedError):
        scene.locking(scene.claim("joe", "there")).hold()
    with pytest.raises(LockedError):
        scene.locking(scene.claim("joe", "there")).hold(wait=600)
    assert scene.lock().holder == "ann@here"


def test_a_wall_clock_behind_does_not_keep_an_abandoned_lock(scene):
    scene.locking(scene.claim()).hold()
    scene.jump = timedelta(hours=-9)
    assert scene.locking(scene.claim("joe", "there")).hold(wait=90).after.fence == 2


def test_whoever_waits_gets_it_when_it_is_freed(scene):
    ann = scene.locking(scene.claim())
    ann.hold()

    def free() -> None:
        if scene.clock.now() >= 130:
            ann.free()

    scene.clock.listeners.append(free)
    change = scene.locking(scene.claim("joe", "there")).hold(wait=600)
    assert (change.after.holder, change.after.fence, change.after.stolen_from) == (
        "joe@there",
        2,
        "",
    )
    assert scene.clock.now() < 135


def test_of_two_that_see_it_free_the_slower_one_looks_again(scene):
    joe = scene.locking(scene.claim("joe", "there"))
    scene.cluster.before_write = lambda: joe.hold()
    with pytest.raises(LockedError, match="joe@there"):
        scene.locking(scene.claim()).hold()
    assert scene.lock().fence == 1


def test_a_takeover_never_overrules_a_holder_that_renewed_meanwhile(scene):
    ann = scene.locking(scene.claim())
    ann.hold()
    scene.clock.sleep(3600)
    scene.cluster.before_write = lambda: ann.hold()
    with pytest.raises(LockedError):
        scene.locking(scene.claim("joe", "there")).hold()
    assert scene.lock().holder == "ann@here"


def test_an_answer_that_was_lost_is_a_lock_that_was_taken(scene):
    create = scene.cluster.create

    def lost(kind: str, body: t.Any) -> t.Any:
        create(kind, body)
        return create(kind, body)  # as the adapter repeats a request whose answer was lost

    scene.cluster.create = lost  # type: ignore[method-assign]
    change = scene.locking(scene.claim()).hold()
    assert (change.changed, change.after.fence) == (True, 1)


def test_a_lock_set_by_hand_stops_every_run_and_never_lapses(scene):
    scene.locking(scene.claim(manual=True, reason="the data centre moves")).hold()
    scene.clock.sleep(10_000)
    for who in ("ann", "joe"):
        with pytest.raises(LockedError, match=r"set by hand.*the data centre moves"):
            scene.locking(scene.claim(who)).hold(wait=300)
    again = scene.locking(scene.claim(manual=True, reason="the data centre moves"))
    assert again.hold().changed is False
    assert again.free().changed is True
    assert scene.lock().fence == 1


def test_a_run_does_not_take_down_the_sign_that_its_own_person_put_up(scene):
    scene.locking(scene.claim(manual=True, reason="no")).hold()
    assert scene.locking(scene.claim(purpose="undo")).free().changed is False
    assert scene.lock().manual is True


def test_saying_another_reason_is_a_change(scene):
    scene.locking(scene.claim(manual=True, reason="the data centre moves")).hold()
    change = scene.locking(scene.claim(manual=True, reason="it moved, we test")).hold()
    assert (change.changed, change.after.fence) == (True, 1)


def test_force_takes_any_lock_and_leaves_a_trace(scene):
    scene.locking(scene.claim(manual=True, reason="no")).hold()
    change = scene.locking(scene.claim("joe", "there", reason="ann is asleep")).hold(force=True)
    assert (change.after.holder, change.after.fence) == ("joe@there", 2)
    assert change.after.stolen_from.startswith("ann@here")
    assert change.after.manual is False


def test_an_undo_takes_over_from_a_deployment_which_then_may_not_go_on(scene):
    ann = scene.locking(scene.claim())
    fence = ann.hold().after.fence
    change = scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    assert (change.changed, change.after.fence) == (True, fence + 1)
    with pytest.raises(LeaseLostError, match=r"joe@there .* to roll back 2\.0\.0"):
        ann.hold(fence=fence)
    assert scene.lock().holder == "joe@there"


def test_an_undo_works_under_a_lock_set_by_hand_and_leaves_it(scene):
    scene.locking(scene.claim(manual=True, reason="no")).hold()
    change = scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    assert (change.changed, change.after.manual, scene.lock().holder) == (False, True, "ann@here")


def test_a_run_that_turns_from_deploying_to_going_back_keeps_the_lock(scene):
    scene.locking(scene.claim()).hold()
    assert scene.locking(scene.claim(purpose="undo")).hold().after.fence == 2
    assert scene.locking(scene.claim()).hold().after.fence == 3


@pytest.mark.parametrize("loss", ["taken over", "freed", "deleted", "taken and freed"])
def test_a_run_that_lost_its_lock_does_not_take_it_again(scene, loss):
    ann = scene.locking(scene.claim())
    fence = ann.hold().after.fence
    joe = scene.locking(scene.claim("joe", "there", reason="now me"))
    if loss == "deleted":
        scene.cluster.delete("Lease", NAME)
    elif loss == "freed":
        joe.free(force=True)
    else:
        joe.hold(force=True)
        if loss == "taken and freed":
            joe.free()
    before = scene.cluster.writes.copy()
    with pytest.raises(LeaseLostError) as caught:
        ann.hold(fence=fence, wait=600)
    assert caught.value.to_result()["reason"] == "LeaseLost"
    assert scene.cluster.writes == before


def test_a_lease_that_was_deleted_comes_back_above_what_its_targets_remember(scene):
    for name, remembered in (("a", {"easymo.com/fence": "40"}), ("b", {}), ("c", None)):
        body = {"metadata": {"name": name, "annotations": remembered}}
        scene.cluster.put("Deployment", body)
    record = {"metadata": {"name": "release-2.0.0", "annotations": {"easymo.com/fence": "41"}}}
    scene.cluster.put("ConfigMap", record)
    assert scene.locking(scene.claim()).hold().after.fence == 42


def test_another_s_lock_is_not_freed(scene):
    scene.locking(scene.claim()).hold()
    for claim in (scene.claim("joe", "there"), scene.claim(pid=2)):
        assert scene.locking(claim).free().changed is False
    assert scene.lock().holder == "ann@here"


def test_what_a_dead_run_of_mine_left_is_freed(scene):
    first = scene.claim(pid=1)
    scene.locking(first).hold()
    assert first.run
    scene.dead.add(first.run)
    assert scene.locking(scene.claim(pid=2)).free().changed is True
    assert (scene.lock().holder, scene.lock().fence) == ("", 1)


def test_freeing_a_free_lock_changes_nothing(scene):
    assert scene.locking(scene.claim()).free().changed is False
    scene.locking(scene.claim()).hold()
    scene.locking(scene.claim()).free()
    assert scene.locking(scene.claim()).free().changed is False
    assert scene.cluster.writes == ["create Lease", "replace Lease"]


def test_what_others_wrote_on_the_lease_stays(scene):
    body = {"metadata": {"name": NAME, "annotations": {"team": "w"}}, "spec": {}}
    scene.cluster.put("Lease", body)
    scene.locking(scene.claim()).hold()
    scene.locking(scene.claim()).free()
    assert scene.cluster.objects["Lease", NAME]["metadata"]["annotations"] == {"team": "w"}


def test_another_program_s_lease_is_respected(scene):
    spec = {"holderIdentity": "argo", "leaseDurationSeconds": 15, "leaseTransitions": 4}
    spec |= {"renewTime": "2026-11-24T12:00:00.000000Z"}
    scene.cluster.put("Lease", {"metadata": {"name": NAME}, "spec": spec})
    with pytest.raises(LockedError, match="argo holds"):
        scene.locking(scene.claim()).hold()


def test_an_api_server_out_of_sight_gives_no_lock(scene):
    scene.cluster.out_of_sight = True
    with pytest.raises(UnreachableError):
        scene.locking(scene.claim()).hold()


FUTURE, PAST = "2026-11-24T18:00:00Z", "2026-11-24T06:00:00+02:00"


@cases(
    ("data", "stops"),
    {
        "until later": ({"reason": "Black Friday", "by": "eve", "until": FUTURE}, True),
        "over": ({"reason": "Black Friday", "until": PAST}, False),
        "until nobody knows when": ({"reason": "Black Friday", "until": "Monday"}, True),
        "empty": ({}, True),
    },
)
def test_a_freeze_stops_deployments_while_it_is_in_force(scene, data, *, stops):
    scene.freeze(**data)
    if stops:
        with pytest.raises(FrozenError) as caught:
            scene.locking(scene.claim()).hold()
        assert all(value in str(caught.value) for value in data.values())
    else:
        assert scene.locking(scene.claim()).hold().changed is True


def test_a_freeze_that_was_set_while_somebody_waits_stops_him(scene):
    scene.locking(scene.claim()).hold()
    scene.clock.sleep(3600)

    class Heard(list[str]):
        def append(self, _text: str) -> None:
            scene.freeze(reason="Black Friday")

    scene.reports = Heard()
    with pytest.raises(FrozenError):
        scene.locking(scene.claim("joe", "there")).hold(wait=600)
    assert scene.lock().holder == "ann@here"


def test_a_freeze_stops_no_undo(scene):
    scene.freeze(reason="Black Friday")
    assert scene.locking(scene.claim(purpose="undo")).hold().changed is True


def test_a_claim_of_no_known_run_waits_out_another_of_the_same_holder(scene):
    scene.locking(scene.claim()).hold()
    with pytest.raises(LockedError):
        scene.locking(LockClaim(holder="ann@here", duration=60)).hold()
