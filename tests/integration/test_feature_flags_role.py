"""The role feature_flags where its consumers do not come along, and where the ramp has moved on."""

import json
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import feature_flags
from tests.integration.conftest import SERVICE, Place, deploy
from tests.integration.plays import run_role

BEFORE = {"FEATURE_AI_AGENTS": "true", "LEVEL": "info"}


def play(
    place: Place, folder: Path, consumers: t.Sequence[str] = (SERVICE,), **variables: t.Any
) -> subprocess.CompletedProcess[str]:
    return run_role("feature_flags", place, folder, flags={"consumers": [*consumers]}, **variables)


def data_of(place: Place) -> t.Any:
    return place.read("configmaps", "feature-flags")["data"]


def test_flags_that_never_reach_a_pod_go_back(place, tmp_path):
    """The container sets one of them itself, so no restart ever brings it the new value."""
    place.run(feature_flags, flags=BEFORE)
    deploy(place, SERVICE)
    deaf = [{"name": "LEVEL", "value": "info"}]
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": deaf}]
    place.kubectl("patch", "deployment", SERVICE, "--type=json", "-p", json.dumps(patch))
    place.rolled_out(SERVICE)

    wanted = {"FEATURE_AI_AGENTS": False, "LEVEL": "debug", "FEATURE_NEW": True}
    ended = play(place, tmp_path, feature_flags_values=wanted)
    assert ended.returncode != 0
    said = " ".join(ended.stdout.split())
    assert "LEVEL is 'info' instead of 'debug'" in said
    assert "The previous flags were restored." in said
    assert data_of(place) == BEFORE
    pods = place.read("pods", selector=f"app={SERVICE}")["items"]
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(staying) == 2
    for pod in staying:
        lines = place.kubectl("exec", pod["metadata"]["name"], "--", "env").splitlines()
        assert {"FEATURE_AI_AGENTS=true", "LEVEL=info"} <= {*lines}
        assert not [line for line in lines if line.startswith("FEATURE_NEW=")]


PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
OF_THE_RELEASE = {"FEATURE_AI_AGENTS": True, PERCENTAGE: 1}


def test_a_percentage_that_is_moved_after_it_was_read_is_left_too(place, tmp_path):
    place.run(feature_flags, flags={"FEATURE_AI_AGENTS": False, PERCENTAGE: 0})
    merged = {**OF_THE_RELEASE, PERCENTAGE: 10}
    ended = play(
        place,
        tmp_path,
        feature_flags_values=merged,
        release_phase_opened={"ramped": {PERCENTAGE: 10}},
        consumers=[],
    )
    assert ended.returncode == 0, ended.stdout
    assert data_of(place) == {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "0"}
