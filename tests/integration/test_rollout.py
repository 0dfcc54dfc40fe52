"""Rollouts against a cluster whose pods really start, crash and serve; kubectl is the witness."""

import re
import typing as t

import pytest
from kubernetes.client.rest import RESTClientObject

from ansible_collections.easymo.deploy.plugins.modules import (
    preflight_check,
    release,
    rollout,
)
from tests.integration.conftest import ABSENT, CRASHING, LOG_LINE, NEW, OLD, SERVICE, Place, Result


def roll(place: Place, image: str = NEW, **params: t.Any) -> Result:
    soon = {"wait_timeout": 60, "soak": 0}
    given = {"name": SERVICE, "image": image, "release": "2.0.0", **soon, **params}
    return place.run(rollout, **given)


def pinned(place: Place) -> Place:
    place.run(release, name="2.0.0", phase="microservices", phase_status="running")
    result = place.run(release, name="2.0.0", pin={"deployments": [SERVICE]})
    assert result["changed"] is True
    return place


def test_released_restarted_and_rolled_back_in_check_mode_for_real_and_again(deployed):
    pinned(deployed)
    template = deployed.deployment()["spec"]["template"]
    for state, image, extra in (
        ("released", NEW, {}),
        ("restarted", NEW, {"checksum": "abc"}),
        ("rolled_back", OLD, {}),
    ):
        before = deployed.deployment()
        predicted = roll(deployed, state=state, check_mode=True, **extra)
        assert predicted["changed"] is True
        assert predicted["diff"]["before"] != predicted["diff"]["after"]
        assert deployed.deployment()["metadata"]["generation"] == before["metadata"]["generation"]

        real = roll(deployed, state=state, **extra)
        assert (real["changed"], real["after"]["image"]) == (True, image)
        assert real["diff"] == predicted["diff"]
        assert "successfully rolled out" in deployed.kubectl(
            "rollout", "status", f"deployment/{SERVICE}", "--timeout=1s"
        )

        again = roll(deployed, state=state, **extra)
        assert (again["changed"], again["result"]) == (False, "no_change")
        assert set(again) == set(real) == set(predicted)
    assert deployed.deployment()["spec"]["template"] == template


def test_a_rollout_leaves_its_trace_and_takes_few_requests(deployed, monkeypatch):
    asked: list[str] = []
    request = RESTClientObject.request

    def counted(self: t.Any, method: str, url: str, **arguments: t.Any) -> t.Any:
        asked.append(f"{method} {url}")
        return request(self, method, url, **arguments)

    monkeypatch.setattr(RESTClientObject, "request", counted)
    result = roll(deployed, actor="ann", log_line=LOG_LINE)
    assert result["result"] == "succeeded"
    assert len(asked) <= 30, asked
    assert "release 2.0.0" in deployed.kubectl("rollout", "history", f"deployment/{SERVICE}")
    [standing] = deployed.run(rollout, state="read", deployments=[SERVICE])["deployments"]
    assert (standing["release"], standing["complete"]) == ("2.0.0", True)
    assert deployed.run(rollout, state="read", deployments=[])["deployments"] == []


@pytest.mark.parametrize(
    ("image", "reason", "word"),
    [
        (ABSENT, "ImageNotFound", "not in the registry"),
        (CRASHING, "CrashLoop", "crashed"),
        ("Not An Image", "InvalidImage", "can never be pulled"),
    ],
)
def test_a_failing_release_is_called_early_explained_and_undone(deployed, image, reason, word):
    pinned(deployed)
    template = deployed.deployment()["spec"]["template"]
    result = roll(deployed, image, wait_timeout=600)
    assert (result["failed"], result["result"], result["reason"]) == (True, "rolled_back", reason)
    assert word in result["msg"]
    assert result["duration"] < 300
    assert result["diagnosis"]["events"]
    assert result["diagnosis"]["pods"]
    assert deployed.deployment()["spec"]["template"] == template


def test_another_hand_is_never_undone(deployed):
    pinned(deployed)
    roll(deployed)
    theirs = f"{NEW.rpartition(':')[0]}:another-hand"
    deployed.kubectl("set", "image", f"deployment/{SERVICE}", f"{SERVICE}={theirs}")
    result = roll(deployed, state="rolled_back")
    assert (result["failed"], result["result"]) == (True, "superseded")
    assert deployed.image() == theirs


def test_a_paused_deployment_is_refused_untouched(deployed):
    deployed.kubectl("rollout", "pause", f"deployment/{SERVICE}")
    for check_mode in (True, False):
        result = roll(deployed, check_mode=check_mode)
        assert (result["failed"], result["result"]) == (True, "paused")
    assert deployed.image() == OLD


def test_what_is_not_there_is_named(deployed):
    assert "no Deployment 'nobody'" in roll(deployed, name="nobody")["msg"]
    assert f"it has '{SERVICE}'" in roll(deployed, container="nobody")["msg"]
    missing = deployed.run(rollout, state="read", deployments=["nobody"])
    assert "no Deployment 'nobody'" in missing["msg"]


def stands_against(place: Place, name: str, *, check_mode: bool = False) -> Result:
    check = {"name": "services", "kind": "rollout", "rollout": {"services": [name]}}
    given: dict[str, t.Any] = {"release": "2.0.0", "checks": [check]}
    (row,) = place.run(preflight_check, check_mode=check_mode, **given)["results"]
    return row


def test_a_preflight_tells_every_problem_at_once_and_touches_nothing(deployed):
    assert stands_against(deployed, SERVICE)["status"] == "pass"
    deployed.kubectl(
        "patch", "deployment", SERVICE, "--type=json", "-p",
        '[{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]',
    )  # fmt: skip
    deployed.kubectl("rollout", "pause", f"deployment/{SERVICE}")
    before = deployed.deployment()["metadata"]["generation"]
    for check_mode in (True, False):
        row = stands_against(deployed, SERVICE, check_mode=check_mode)
        assert row["status"] == "fail"
        assert "it is paused" in row["detail"]
        assert "readinessProbe" in row["detail"]
    assert deployed.deployment()["metadata"]["generation"] == before
    (resume,) = re.findall(r"it is paused: run 'kubectl ([^']+)'", row["detail"])
    deployed.kubectl(*resume.split())
    assert "it is paused" not in stands_against(deployed, SERVICE)["detail"]
    assert "no Deployment 'nobody'" in stands_against(deployed, "nobody")["detail"]
