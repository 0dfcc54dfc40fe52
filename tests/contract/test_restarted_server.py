# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that restarts denies what it allows until its caches are filled: no call takes that for an answer."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import (
    deploy_lock,
    release,
    release_rollback,
    rollout,
    rollout_info,
    rollout_preflight,
)
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE
from tests.contract.rollout_place import NEW, OLD, RELEASE, Stage, stage
from tests.fakes.restarted_server import RestartedServer
from tests.integration.conftest import Place, Result

Act = t.Callable[[Stage, Place], Result]
PIN = {"deployments": [SERVICE], "config_maps": ["feature-flags"]}
CRASHING = f"{NEW}-crash"


def opened(at: Stage, through: Place) -> Result:
    return through.run(
        release, name=RELEASE, phase="microservices", phase_status="running", pin=PIN
    )


def recorded(at: Stage, through: Place) -> Result:
    at.pin()
    return through.run(release, name=RELEASE, phase="microservices", phase_status="done")


def rolled(at: Stage, through: Place) -> Result:
    return through.run(rollout, name=SERVICE, image=NEW, log_line="v2.0.0", wait_timeout=40)


def undone(at: Stage, through: Place) -> Result:
    """Failing, diagnosed and undone."""
    result = through.run(rollout, name=SERVICE, image=CRASHING, wait_timeout=60, quorum="any")
    assert result["result"] == "rolled_back", result
    assert not result["diagnosis"]["missing"]
    return {}


def returned(at: Stage, through: Place) -> Result:
    at.pin()
    at.roll()
    back = through.run(rollout, name=SERVICE, state="rolled_back", release=RELEASE, wait_timeout=40)
    assert at.image == OLD
    return back


def all_returned(at: Stage, through: Place) -> Result:
    at.pin()
    at.roll()
    back = through.run(release_rollback, name=RELEASE, wait_timeout=40)
    assert at.image == OLD
    return back


def locked(at: Stage, through: Place) -> Result:
    taken = through.run(deploy_lock, release=RELEASE)
    assert not taken.get("failed"), taken
    return through.run(deploy_lock, state="free")


def rolled_under_lock(at: Stage, through: Place) -> Result:
    at.hold_lock(epoch=1)
    return through.run(rollout, name=SERVICE, image=NEW, fence=1, wait_timeout=40)


def looked(at: Stage, through: Place) -> Result:
    return through.run(rollout_info)


def judged(at: Stage, through: Place) -> Result:
    found = through.run(rollout_preflight)
    assert not [one for one in found["problems"] if one["check"] in ("Access", "Unseen")], found
    return found


CALLS: dict[Act, tuple[str, ...]] = {
    opened: (
        "GET configmaps",
        "POST configmaps",
        "GET deployments",
        "LIST replicasets",
    ),
    recorded: ("GET configmaps", "PUT configmaps"),
    rolled: (
        "GET deployments",
        "PATCH deployments",
        "LIST pods",
        "LIST replicasets",
        "LIST deployments",
        "WATCH pods",
        "WATCH deployments",
        "GET pods/log",
    ),
    undone: ("LIST events", "GET pods/log", "PATCH deployments"),
    rolled_under_lock: ("GET leases", "GET configmaps"),
    returned: ("GET configmaps", "GET deployments", "PATCH deployments", "LIST pods"),
    all_returned: ("GET configmaps", "GET deployments", "PATCH deployments", "LIST pods"),
    locked: ("GET leases", "POST leases", "PUT leases", "GET configmaps"),
    looked: ("LIST deployments", "LIST replicasets", "LIST pods"),
    judged: (
        "LIST deployments",
        "LIST resourcequotas",
        "POST selfsubjectaccessreviews",
        "LIST poddisruptionbudgets",
    ),
}


@pytest.fixture
def at(cluster: World) -> t.Iterator[Stage]:
    with stage(cluster, replicas=1) as made:
        yield made


@pytest.mark.parametrize(
    ("act", "call"),
    [(act, call) for act, calls in CALLS.items() for call in calls],
    ids=lambda one: getattr(one, "__name__", str(one).replace(" ", "-")),
)
def test_a_restart_at_this_call_is_waited_out(
    cluster: World, at: Stage, tmp_path: Path, act: Act, call: str
) -> None:
    with RestartedServer(cluster.facts("kubernetes")) as server:
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(server.kubeconfig()), encoding="utf-8")
        through = dataclasses.replace(at.place, kubeconfig=str(path))
        server.restart_at(call)
        result = act(at, through)
        assert server.denied[:1] == [call], (server.denied, sorted(set(server.calls)))
    assert not result.get("failed"), result
