"""The role feature_flags where its consumers do not come along, and where the ramp has moved on."""

import json
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import feature_flags, kill_switch, release
from tests.integration.conftest import SERVICE, Place, deploy
from tests.integration.plays import connection, play_on, run_plays, run_role

BEFORE = {"FEATURE_AI_AGENTS": "true", "LEVEL": "info"}


def play(place: Place, folder: Path, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    given = {"feature_flags_consumers": [SERVICE], "feature_flags_release": "2.0.0", **variables}
    return run_role("feature_flags", place, folder, **given)


def data_of(place: Place) -> t.Any:
    return place.read("configmaps", "feature-flags")["data"]


def test_flags_that_never_reach_a_pod_go_back(place, tmp_path):
    """The container sets one of them itself, so no restart ever brings it the new value."""
    place.run(feature_flags, flags=BEFORE)
    deploy(place, SERVICE)
    deaf = [{"name": "LEVEL", "value": "info"}]
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": deaf}]
    place.kubectl("patch", "deployment", SERVICE, "--type=json", "-p", json.dumps(patch))
    place.kubectl("rollout", "status", f"deployment/{SERVICE}", "--timeout=60s")

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


def stands_at(place: Place, folder: Path) -> t.Any:
    """What a deployment that begins now would leave of the flags."""
    told = folder / "standing.json"
    standing = {"name": "easymo.deploy.feature_flags", "tasks_from": "standing"}
    keep = {
        "content": "{{ feature_flags_present.standing | to_json }}",
        "dest": str(told),
        "mode": "0600",
    }
    ramped = {"feature_flags_release": "2.0.0", "feature_flags_ramped": [PERCENTAGE]}
    tasks = [{"ansible.builtin.include_role": standing}, {"ansible.builtin.copy": keep}]
    ended = run_plays(folder, play_on(connection(place), vars=ramped, tasks=tasks))
    assert ended.returncode == 0, ended.stdout
    return json.loads(told.read_text(encoding="utf-8"))


def test_a_percentage_that_was_moved_since_the_phase_was_done_is_left(place, tmp_path):
    place.run(release, name="2.0.0")
    place.run(release, name="2.0.0", phase="feature_flags", phase_status="running")
    place.run(feature_flags, flags={**OF_THE_RELEASE, PERCENTAGE: 10})
    assert stands_at(place, tmp_path) == {}, "the phase has not set it yet"

    place.run(release, name="2.0.0", phase="feature_flags", phase_status="done")
    assert stands_at(place, tmp_path) == {PERCENTAGE: 10}

    off = {"FEATURE_AI_AGENTS": False, PERCENTAGE: 0}
    place.run(kill_switch, flags=off, reason="a test", automatic=True)
    assert stands_at(place, tmp_path) == {}, "what was switched off is turned on again"

    place.run(release, name="2.0.0", status="rolled_back")
    place.run(release, name="2.0.0", phase="feature_flags", phase_status="running")
    place.run(
        feature_flags, flags={**OF_THE_RELEASE, PERCENTAGE: 10}, kill_switch="reset_automatic"
    )
    assert stands_at(place, tmp_path) == {}, "the next attempt begins at the first step"


def test_a_percentage_that_is_moved_after_it_was_read_is_left_too(place, tmp_path):
    place.run(feature_flags, flags={"FEATURE_AI_AGENTS": False, PERCENTAGE: 0})
    merged = {**OF_THE_RELEASE, PERCENTAGE: 10}
    ended = play(
        place,
        tmp_path,
        feature_flags_values=merged,
        feature_flags_present={"standing": {PERCENTAGE: 10}},
        feature_flags_consumers=[],
    )
    assert ended.returncode == 0, ended.stdout
    assert data_of(place) == {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "0"}
