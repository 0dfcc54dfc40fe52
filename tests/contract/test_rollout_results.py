# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way a rollout can end, reached through the API of a cluster that misbehaves accordingly."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout import evaluate
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.results import ENDINGS
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE
from tests.contract.rollout_place import NEW, OLD, Stage, stage

DEPLOYMENT = f"deployment/{SERVICE}"
REACHED: set[str] = set()
ALL_AT_ONCE = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}}


def ended(result: dict[str, t.Any], word: str, reason: str = "", *, changed: bool) -> None:
    """As the table of endings promises."""
    assert result["result"] == word, result
    assert result.get("reason", "") == reason
    assert result.get("changed", False) is changed
    ending = ENDINGS[word]
    allowed = {"yes": {True}, "no": {False}, "asked": {True, False}}[ending.failed]
    assert result.get("failed", False) in allowed
    assert {"never": not changed, "always": changed, "maybe": True}[ending.changed]
    assert result["hint"] == ending.hint
    assert {"before", "after", "replicas", "diagnosis"} <= result.keys()
    REACHED.add(word)


def test_succeeded_and_then_no_change(at: Stage) -> None:
    ended(at.roll(), "succeeded", changed=True)
    ended(at.roll(), "no_change", changed=False)


def test_rolled_back_when_asked(at: Stage) -> None:
    at.pin()
    at.roll()
    result = at.roll(state="rolled_back")
    ended(result, "rolled_back", changed=True)
    assert not result.get("failed")
    assert at.image == OLD


def test_rolled_back_after_a_failure(at: Stage) -> None:
    at.pin()
    result = at.roll(f"{NEW}-nopull")
    ended(result, "rolled_back", "ImageNotFound", changed=True)
    assert result["failed"]
    assert at.image == OLD


def test_rollback_failed_when_the_old_pods_do_not_come_up_either(cluster: World) -> None:
    with stage(cluster, strategy=ALL_AT_ONCE) as at, at.fault("node.crash-loop"):
        result = at.roll(quorum="any")
        ended(result, "rollback_failed", "CrashLoop", changed=True)
        assert "Undoing it failed too: container wallet-service crashed" in result["msg"]


def test_a_failing_image_is_named_where_all_old_pods_go_first(cluster: World) -> None:
    """The controller has observed the template long before it makes a ReplicaSet for it."""
    with stage(cluster, strategy={"type": "Recreate"}) as at:
        at.pin()
        result = at.roll(f"{NEW}-nopull")
        ended(result, "rolled_back", "ImageNotFound", changed=True)
        assert at.image == OLD


def test_failed_no_undo_when_told_so(at: Stage) -> None:
    result = at.roll(f"{NEW}-nopull", undo_on_failure=False)
    ended(result, "failed_no_undo", "ImageNotFound", changed=True)
    assert at.image == f"{NEW}-nopull"


def test_superseded_by_another_operator_midway(at: Stage) -> None:
    theirs = f"easymo/{SERVICE}:v2.0.1"
    at.pin()
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready",
        lambda: at.kubectl("set", "image", DEPLOYMENT, f"{SERVICE}={theirs}"),
    ):
        result = at.roll(f"{NEW}-unready")
    ended(result, "superseded", "Superseded", changed=True)
    assert at.image == theirs


def test_blocked_without_replicas(at: Stage) -> None:
    result = at.roll()
    assert result["result"] == "succeeded", result
    at.patch(replicas=0)
    ended(at.roll(OLD), "blocked", "Conflict", changed=False)
    assert at.image == NEW
    assert at.roll(OLD, allow_no_replicas=True)["result"] == "succeeded"


def test_lease_lost_to_a_later_epoch(at: Stage) -> None:
    at.hold_lock(epoch=7)
    assert at.roll(fence=7)["changed"]
    assert at.body()["metadata"]["annotations"]["easymo.com/fence"] == "7"
    at.hold_lock(epoch=8)
    ended(at.roll(OLD, fence=7), "lease_lost", "Conflict", changed=False)
    # A lock that was deleted begins to count anew; what was written under a later one is left alone all the same.
    at.hold_lock(epoch=6)
    ended(at.roll(OLD, fence=6), "lease_lost", "LeaseLost", changed=False)
    assert at.image == NEW


def test_paused_before_and_midway(at: Stage) -> None:
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready", lambda: at.kubectl("rollout", "pause", DEPLOYMENT)
    ):
        result = at.roll(f"{NEW}-unready")
    ended(result, "paused", "Paused", changed=True)
    assert at.image == f"{NEW}-unready"
    ended(at.roll(), "paused", "Conflict", changed=False)


def test_rejected_by_the_server(at: Stage) -> None:
    for check_mode in (True, False):
        ended(at.roll(" spaced", check_mode=check_mode), "rejected", "Refused", changed=False)
    with at.fault("kubernetes.forbidden", "patch deployments"):
        result = at.roll()
        ended(result, "rejected", "Refused", changed=False)
        assert 'cannot patch resource "deployments"' in result["msg"]
    assert at.image == OLD


def test_controller_silent_and_nothing_undone(at: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "CONTROLLER_SILENCE", 2.0)
    with at.fault("kubernetes.controllers-rest"):
        result = at.roll()
    ended(result, "controller_silent", "ControllerSilent", changed=True)
    assert at.image == NEW


def test_deleted_midway(at: Stage) -> None:
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready", lambda: at.kubectl("delete", DEPLOYMENT)
    ):
        result = at.roll(f"{NEW}-unready")
    ended(result, "deleted", "Deleted", changed=True)


def test_indeterminate_out_of_sight_and_nothing_undone(at: Stage) -> None:
    at.pin()
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready", lambda: at.break_cluster("kubernetes.errors")
    ):
        result = at.roll(f"{NEW}-unready", wait_timeout=6)
    at.faults.write(())
    ended(result, "indeterminate", "Unreachable", changed=True)
    assert at.image == f"{NEW}-unready"


def test_every_ending_was_reached() -> None:
    assert set(ENDINGS) == REACHED


def test_the_diagnosis_tells_of_this_release_alone_and_its_newest_events_first(at: Stage) -> None:
    at.roll()
    earlier = at.kubectl("get", "replicasets", "-o", "name").split()
    at.kubectl("rollout", "undo", DEPLOYMENT)
    at.settle()
    time.sleep(1.1)  # events have whole seconds
    events = at.roll(f"{NEW}-crash", release="2.0.1", quorum="any")["diagnosis"]["events"]
    times = [one["last_seen"] for one in events]
    assert times == sorted(times, reverse=True)
    mine = [one["message"] for one in events if one["object"] == DEPLOYMENT.capitalize()]
    assert any("Scaled up replica set" in message for message in mine), events
    sets = [name.rpartition("/")[2] for name in earlier]
    grown = [message for message in mine if "Scaled up" in message]
    assert not [one for one in grown if any(name in one for name in sets)], mine
