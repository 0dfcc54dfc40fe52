"""The last message of a wave that failed says what was undone and what stands where."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.filter.wave_outcome import wave_outcome


def standing(name: str, tag: str, *, complete: bool = True) -> dict[str, t.Any]:
    image = f"registry:5000/easymo/{name}:{tag}"
    return {"name": name, "images": {"sidecar": "x:1", name: image}, "complete": complete}


THERE = [
    standing("core", "v2"),
    standing("wallet", "v1@sha256:ab", complete=False),
    standing("vendor", "v1"),
]
FAILED = {"wallet": {"message": "failing", "result": "rolled_back"}}


def test_the_failed_one_alone_is_undone_and_every_service_is_placed():
    told = wave_outcome(THERE, FAILED, "undo_failed")
    assert told["undone"] == {"wallet": "rolled_back"}
    assert told["sentence"] == (
        "Only what failed was undone. Versions now: v1: wallet, vendor; v2: core; not "
        "complete: wallet."
    )


def test_what_the_release_wrote_is_told_and_what_it_did_not_write_is_not():
    services = {
        "core": {"result": "rolled_back", "changed": True, "message": ""},
        "vendor": {"result": "no_change", "changed": False, "message": ""},
    }
    told = wave_outcome(THERE, FAILED, "undo_release", {"services": services})
    assert told["undone"] == {"wallet": "rolled_back", "core": "rolled_back"}
    assert told["sentence"].startswith("All of this release was undone.")


def test_one_that_is_stuck_is_named_first():
    services = {"core": {"result": "superseded", "changed": False, "message": "another hand"}}
    told = wave_outcome(THERE, {}, "undo_release", {"failed": True, "services": services})
    assert told["not_undone"] == ["core"]
    assert told["sentence"].startswith("Not undone, check them now: core.")


def test_a_way_back_that_could_not_begin_is_not_called_done():
    told = wave_outcome(THERE, FAILED, "undo_release", {"failed": True, "msg": "No record."})
    assert told["sentence"].startswith("Nothing more was undone: No record.")


def test_nothing_undone_is_said_as_such():
    told = wave_outcome(THERE, {"wallet": {"result": "failed_no_undo"}}, "hold")
    assert (told["undone"], told["sentence"][:20]) == ({}, "Nothing was undone. ")


WELL = {"wallet": {"result": "succeeded"}, "vendor": {"result": "no_change"}}
UNHEALTHY = {"wallet": {"message": "HTTP 503", "result": ""}}


@pytest.mark.parametrize("policy", ["undo_failed", "hold"])
def test_a_service_that_is_unwell_behind_well_pods_is_paused_and_not_called_undone(policy):
    told = wave_outcome(THERE, UNHEALTHY, policy, {}, WELL)
    assert (told["paused"], told["undone"]) == (["wallet"], {})
    assert told["sentence"].startswith("Nothing was undone. Paused there: wallet, whose rollout ")
    assert '-e \'{"service_rollback_names": ["wallet"]}\'' in told["sentence"]


def test_one_that_returned_with_all_of_the_release_is_not_paused():
    services = {"wallet": {"result": "rolled_back", "changed": True, "message": ""}}
    told = wave_outcome(THERE, UNHEALTHY, "undo_release", {"services": services}, WELL)
    assert (told["paused"], told["undone"]) == ([], {"wallet": "rolled_back"})
    assert "Paused" not in told["sentence"]


def test_a_failing_one_and_one_that_never_rolled_are_not_paused():
    rollouts = {"wallet": {"result": "rolled_back"}}
    told = wave_outcome(THERE, {**FAILED, "vendor": {"result": ""}}, "undo_failed", {}, rollouts)
    assert told["paused"] == []
