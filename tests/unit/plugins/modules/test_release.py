"""Under which lock the record is written, and that a freeze keeps no failure from it."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _rollback
from ansible_collections.easymo.deploy.plugins.module_utils._lock import apply
from ansible_collections.easymo.deploy.plugins.modules import release, release_rollback
from tests.fakes.lock import NAME, Scene
from tests.module_runner import run_module
from tests.tables import cases


@pytest.fixture
def scene(monkeypatch) -> Scene:
    """Of one who holds the lock at its first epoch and has opened the phase."""
    scene = Scene()
    for module in (release, release_rollback):
        monkeypatch.setattr(module, "cluster_for", lambda _module: scene.cluster)
    monkeypatch.setattr(release, "MonotonicClock", lambda: scene.clock)
    monkeypatch.setattr(apply.LeaseCheck.__init__, "__kwdefaults__", {"wall": scene.wall})
    assert scene.locking(scene.claim()).hold().after.fence == 1
    told(phase_status="running")
    return scene


def told(**options: t.Any) -> dict[str, t.Any]:
    return run_module(
        release,
        namespace="easymo-prod",
        name="2.0.0",
        phase="database",
        fence=1,
        lock=NAME,
        **options,
    )


def phase_of(scene: Scene) -> str:
    body = scene.cluster.objects["ConfigMap", "release-2.0.0"]
    return str(json.loads(body["data"]["record.json"])["phases"]["database"]["status"])


def test_a_failure_is_recorded_during_a_freeze_and_nothing_else_is(scene):
    frozen = {"metadata": {"name": "deploy-freeze"}, "data": {"reason": "Black Friday"}}
    scene.cluster.put("ConfigMap", frozen)
    assert told(phase_status="done")["reason"] == "Frozen"
    assert phase_of(scene) == "running"
    assert not told(phase_status="failed").get("failed")
    assert phase_of(scene) == "failed"


def test_a_failure_is_not_recorded_by_who_lost_the_lock(scene):
    scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    assert told(phase_status="failed")["reason"] == "LeaseLost"
    assert phase_of(scene) == "running"


@cases(("part", "asked", "anew"), {
    "all of it went back": ("all", "2020", False),
    "a part, and nothing was deployed since": ("services", "2099", False),
    "a part, and a phase was run since": ("services", "2020", True),
})  # fmt: skip
@pytest.mark.usefixtures("scene")
def test_a_rollback_is_open_until_its_end_and_the_same_words_ask_anew_after_a_deployment(
    monkeypatch, part, asked, anew
):
    monkeypatch.setattr(_rollback, "utc_now", lambda: f"{asked}-01-01T00:00:00Z")
    given = {"namespace": "easymo-prod", "name": "2.0.0", "parts": [part]}
    states = ("begun", "closed", "begun")
    turns = [run_module(release_rollback, **given, state=state) for state in states]
    assert [turn["changed"] for turn in turns] == [True, True, anew]
    noted = [json.loads(turn["document"])["facts"]["rollback_asked"] for turn in turns[:2]]
    assert [one["open"] for one in noted] == [True, False]
