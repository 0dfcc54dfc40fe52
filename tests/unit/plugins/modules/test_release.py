"""Under which lock the record is written, and that a freeze keeps no failure from it."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._lock import apply
from ansible_collections.easymo.deploy.plugins.modules import release
from tests.fakes.lock import NAME, Scene
from tests.module_runner import run_module


@pytest.fixture
def scene(monkeypatch) -> Scene:
    """Of one who holds the lock at its first epoch and has opened the phase."""
    scene = Scene()
    monkeypatch.setattr(release, "cluster_for", lambda _module: scene.cluster)
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
