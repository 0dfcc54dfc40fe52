"""All services of a release return to what ran before it; the API server is the witness."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._progress import Progress, subscribe
from ansible_collections.easymo.deploy.plugins.modules import (
    deploy_lock,
    release,
    release_info,
    release_rollback,
    rollout,
)
from tests.integration.conftest import NEW, OLD, Place, Result, deploy

CORE, WALLET, VENDOR = SERVICES = ("core", "wallet", "vendor")
WAVES = [[CORE], [WALLET, VENDOR]]


def goes_back(place: Place, *, check_mode: bool = False, **params: t.Any) -> Result:
    given = {"name": "2.0.0", "wait_timeout": 60, **params}
    return place.run(release_rollback, check_mode=check_mode, **given)


def images(place: Place) -> dict[str, str]:
    listed = place.read("deployments")["items"]
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in listed
    }


@pytest.fixture
def released(place) -> Place:
    """Three services, pinned at the old version; all but the last one run the new one by now."""
    deploy(place, *SERVICES)
    place.run(
        release, name="2.0.0", phase="microservices", phase_status="running", facts={"waves": WAVES}
    )
    pinned = place.run(release, name="2.0.0", pin={"deployments": [*SERVICES]})
    assert pinned["changed"], pinned
    for name in (CORE, WALLET):
        rolled = place.run(rollout, name=name, image=NEW, release="2.0.0", wait_timeout=60, soak=0)
        assert rolled["result"] == "succeeded", rolled
    return place


def test_returned_in_check_mode_for_real_and_again(released):
    predicted = goes_back(released, check_mode=True, first=[CORE])
    assert predicted["changed"] is True
    assert [one["before_header"] for one in predicted["diff"]] == [CORE, WALLET]
    assert images(released) == {CORE: NEW, WALLET: NEW, VENDOR: OLD}

    real = goes_back(released, first=[CORE])
    assert {name: one["result"] for name, one in real["services"].items()} == {
        CORE: "rolled_back",
        VENDOR: "no_change",
        WALLET: "rolled_back",
    }
    assert (real["waves"], real["diff"]) == ([[CORE], [VENDOR, WALLET]], predicted["diff"])
    assert images(released) == dict.fromkeys(SERVICES, OLD)
    for name in SERVICES:
        released.kubectl("rollout", "status", f"deployment/{name}", "--timeout=1s")

    for check_mode in (True, False):
        again = goes_back(released, check_mode=check_mode, first=[CORE])
        assert (again["changed"], again["diff"]) == (False, [])
        assert set(again) == set(real) == set(predicted)


def test_what_it_writes_of_the_phase_is_told_with_its_result(released):
    """Slack shows the phase by it, before anybody reads the record again."""
    returned = goes_back(released, phase="microservices", first=[CORE])
    written = json.loads(returned["document"])
    assert written["phases"]["microservices"]["status"] == "rolled_back"
    assert {**written, "history": []} == released.run(release_info, name="2.0.0")["record"]
    closed = goes_back(released, state="closed", parts=["all"], plan=["microservices"])
    assert json.loads(closed["document"])["status"] == "rolled_back"


def test_under_a_lock_also_what_stands_at_its_pin_is_fenced_and_restarts_nothing(released):
    lost = released.run(deploy_lock, release="2.0.0")["fence"]
    fence = released.run(deploy_lock, purpose="undo", release="2.0.0")["fence"]
    before = released.read("deployments", VENDOR)
    predicted = goes_back(released, fence=fence, check_mode=True)
    real = goes_back(released, fence=fence)
    for name, fenced in ((CORE, False), (WALLET, False), (VENDOR, True)):
        assert predicted["services"][name]["fenced"] is fenced, predicted
        assert real["services"][name]["fenced"] is fenced, real
    assert real["services"][VENDOR]["result"] == "no_change"
    after = released.read("deployments", VENDOR)
    assert after["metadata"]["annotations"]["easymo.com/fence"] == str(fence)
    assert after["spec"] == before["spec"]

    again = goes_back(released, fence=fence)
    assert (again["changed"], again["services"][VENDOR]["fenced"]) == (False, False)
    late = released.run(rollout, name=VENDOR, image=NEW, release="2.0.0", fence=lost)
    assert late["result"] == "lease_lost", late
    released.run(deploy_lock, state="free", purpose="undo")


@pytest.mark.parametrize("purpose", ["deploy", "undo"])
def test_a_freeze_stops_releases_and_neither_way_back(released, purpose):
    fence = released.run(deploy_lock, purpose=purpose, release="2.0.0")["fence"]
    frozen = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-freeze"}}
    released.kubectl("create", "-f", "-", stdin=json.dumps({**frozen, "data": {"by": "eve"}}))
    given = {"release": "2.0.0", "fence": fence, "wait_timeout": 60}
    forward = released.run(rollout, name=VENDOR, image=NEW, soak=0, **given)
    back = released.run(rollout, name=WALLET, state="rolled_back", **given)
    others = goes_back(released, fence=fence)
    released.run(deploy_lock, state="free", purpose=purpose)
    if purpose == "deploy":
        assert (forward["result"], "frozen by eve" in forward["msg"]) == ("blocked", True)
    assert back["result"] == "rolled_back"
    assert others["services"][CORE]["result"] == "rolled_back"
    assert images(released) == dict.fromkeys(SERVICES, OLD)


def test_what_another_hand_changed_is_left_alone_named_and_keeps_nobody_else(released):
    theirs = f"{NEW.rpartition(':')[0]}:another-hand"
    released.kubectl("set", "image", f"deployment/{CORE}", f"{CORE}={theirs}")
    result = goes_back(released, first=[CORE])
    assert (result["failed"], result["reason"]) == (True, "NotReturned")
    assert result["failed_services"] == [CORE]
    assert result["msg"].startswith("1 of 3 services did not return from release '2.0.0': core.")
    assert images(released) == {CORE: theirs, WALLET: OLD, VENDOR: OLD}


def test_some_alone_and_those_that_nobody_pinned_are_refused(released):
    refused = goes_back(released, deployments=[WALLET, "nobody"])
    assert "Nothing is pinned for nobody" in refused["msg"]
    assert images(released)[WALLET] == NEW
    assert goes_back(released, deployments=[WALLET])["changed"] is True
    assert images(released) == {CORE: NEW, WALLET: OLD, VENDOR: OLD}


def test_without_a_record_nothing_is_guessed(place):
    assert "Nothing is pinned for release '9.9.9'" in goes_back(place, name="9.9.9")["msg"]


FIX = {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "0.1"]}}}}
FIELD = f"spec.containers[{WALLET}].lifecycle"


def patched(place: Place, name: str) -> None:
    """A fix by hand, rolled out."""
    container = {"name": name, **FIX}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    place.kubectl("patch", f"deployment/{name}", "-p", json.dumps(patch))
    place.rolled_out(name)


def template(place: Place, name: str) -> str:
    return json.dumps(place.read("deployments", name)["spec"]["template"], sort_keys=True)


def opened_again(place: Place) -> Result:
    """As every run does before it rolls anything."""
    return place.run(
        release,
        name="2.0.0",
        phase="microservices",
        phase_status="running",
        pin={"deployments": [*SERVICES]},
    )


def test_a_fix_between_two_tries_survives_the_second_way_back(released):
    goes_back(released)
    patched(released, WALLET)
    with_fix = template(released, WALLET)
    again = goes_back(released)
    assert (again["changed"], again["services"][WALLET]["result"]) == (False, "no_change")

    assert opened_again(released)["changed"] is True
    assert opened_again(released)["changed"] is False
    rolled = released.run(rollout, name=WALLET, image=NEW, release="2.0.0", wait_timeout=60, soak=0)
    assert rolled["result"] == "succeeded", rolled
    assert opened_again(released)["changed"] is False, "its own try is not pinned"
    back = goes_back(released)
    assert back["services"][WALLET]["result"] == "rolled_back"
    assert back["services"][WALLET]["taken_away"] == []
    assert template(released, WALLET) == with_fix


def test_a_try_of_the_release_is_never_pinned_and_what_its_way_back_takes_is_told_before(released):
    before = json.dumps(released.run(release_info, name="2.0.0")["pins"])
    patched(released, WALLET)
    opened = opened_again(released)
    assert opened["pinned"]["deployments"] == []
    assert json.dumps(released.run(release_info, name="2.0.0")["pins"]) == before

    taken = [{"field": FIELD, "now": json.dumps(FIX["lifecycle"]), "then": "absent"}]
    told = goes_back(released, check_mode=True)
    assert told["services"][WALLET]["taken_away"] == taken
    [diff] = [one for one in told["diff"] if one["before_header"] == WALLET]
    assert list(diff["before"]["taken_away"]) == [FIELD]
    assert "preStop" in template(released, WALLET), "nothing was written"
    assert told["services"][CORE]["taken_away"] == []

    heard: list[Progress] = []
    forget = subscribe(heard.append)
    back = goes_back(released, deployments=[WALLET])
    forget()
    assert back["services"][WALLET]["taken_away"] == taken
    assert "preStop" not in template(released, WALLET)
    lines = [one.text for one in heard if WALLET in one.text]
    telling = next(n for n, line in enumerate(lines) if FIELD in line)
    writing = next(n for n, line in enumerate(lines) if "updated" in line)
    assert telling < writing, lines
