"""The life of a release record in a real cluster."""

import json
import typing as t

from ansible_collections.easymo.deploy.plugins.modules import (
    availability,
    feature_flags,
    kill_switch,
    release,
    release_info,
    rollout,
)
from tests.integration.conftest import NEW, OLD, SERVICE, Place, Result

PIN = {"deployments": [SERVICE], "config_maps": ["feature-flags"]}


def change(place: Place, **params: t.Any) -> Result:
    return place.run(release, name="2.0.0", **params)


def versions(place: Place) -> dict[str, str]:
    found = place.read("configmaps", selector="easymo.com/release=2.0.0")["items"]
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in found}


def test_opened_pinned_and_closed_in_check_mode_for_real_and_again(deployed: Place) -> None:
    steps: list[dict[str, t.Any]] = [
        {"phase": "preflight", "phase_status": "running"},
        {"pin": PIN},
        {"phase": "preflight", "phase_status": "done", "evidence": {"checks": 9}},
        {"phase": "sign_off", "phase_status": "done", "status": "done"},
    ]
    for step in steps:
        before = versions(deployed)
        assert change(deployed, check_mode=True, **step)["changed"] is True
        assert versions(deployed) == before
        assert change(deployed, **step)["changed"] is True
    finished = versions(deployed)
    for step in steps:
        assert change(deployed, **step)["changed"] is False
    assert versions(deployed) == finished
    assert set(finished) == {"release-2.0.0", "release-2.0.0-pins"}

    info = deployed.run(release_info, name="2.0.0")
    assert (info["exists"], info["record"]["status"]) == (True, "done")
    # What tasks read of it goes without the history.
    assert {**json.loads(info["document"]), "history": []} == info["record"]
    history = json.loads(info["document"])["history"]
    assert [
        any(fact.startswith("facts.pins.") for fact in entry["changed"]) for entry in history
    ] == [*(False, True, False, False)], "the record names the pins when they are written"
    outline = deployed.run(availability, release="2.0.0", state="stopped", read_release=True)
    assert outline["document"] == info["document"]
    assert outline["record"]["phases"]["preflight"].keys() == {
        *("status", "started", "finished", "fence")
    }
    assert info["pins"]["deployments"][SERVICE]["images"] == {SERVICE: OLD}
    assert info["pins"]["config_maps"]["feature-flags"]["exists"] is False
    assert info["flags"] == {}, "nobody made the ConfigMap"
    deployed.run(feature_flags, flags={"FEATURE_A": True})
    deployed.run(kill_switch, flags={"FEATURE_A": "false"}, reason="errors", by="Ann")
    flags = deployed.run(release_info, name="2.0.0")["flags"]
    assert (flags["values"], flags["kill_switch"]["by"]) == ({"FEATURE_A": "false"}, "Ann")


def test_a_release_that_was_rolled_back_is_deployed_again_from_new_pins(deployed: Place) -> None:
    change(deployed, phase="microservices", phase_status="running", pin=PIN)
    deployed.run(rollout, name=SERVICE, image=NEW, release="2.0.0")
    deployed.run(rollout, name=SERVICE, state="rolled_back", release="2.0.0")
    change(deployed, status="rolled_back", notes=["Error rate above five percent"])
    again = change(deployed, phase="microservices", phase_status="running", pin=PIN)
    pins = deployed.run(release_info, name="2.0.0")["pins"]
    assert again["record"]["attempt"] == pins["attempt"] == 2
    assert pins["deployments"][SERVICE]["images"] == {SERVICE: OLD}
    assert again["record"]["previous_attempts"][0]["status"] == "rolled_back"


def test_no_record_reads_as_none(place: Place) -> None:
    info = place.run(release_info, name="9.9.9")
    assert (info["exists"], info["record"], info["changed"]) == (False, {}, False)
