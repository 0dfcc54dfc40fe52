# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.filter.status_lines import status_lines
from ansible_collections.easymo.deploy.plugins.module_utils._release.verdict import verdict

LOCK = {"sentence": "Ann holds the lock.", "lock": {"held": True, "holder": "Ann"}}
FREE = {"sentence": "The lock is free.", "lock": {"held": False}}
PLAN = ["preflight", "database", "microservices"]
NOTHING: dict[str, t.Any] = {"record": {}}


def deployment(name: str, **more: t.Any) -> dict[str, t.Any]:
    replicas = {"desired": 3, "available": 3, "terminating": 0}
    images = {name: f"registry/easymo/{name}:v2.0.0"}
    one = {"name": name, "images": images, "replicas": replicas, "paused": False, "complete": True}
    return {**one, **more}


def test_who_what_since_when_and_where_it_stands() -> None:
    phases = {
        "database": {"status": "done", "started": "t1", "finished": "t2"},
        "microservices": {"status": "running", "started": "t3", "finished": ""},
    }
    record = {"version": "2.0.0", "status": "running", "attempt": 2, "actor": "ann@here"}
    record |= {"started": "t0", "finished": "", "phases": phases}
    going = {"desired": 3, "available": 2, "terminating": 1}
    rollouts = {
        "deployments": [deployment("wallet", complete=False, replicas=going), deployment("a")]
    }
    record["phases"] = dict(sorted(phases.items(), reverse=True))
    assert status_lines(LOCK, {"record": record}, rollouts, ["a", "wallet", "gone"], PLAN) == [
        "RUNNING: microservices (3 of 3) since t3, by Ann",
        "Ann holds the lock.",
        "Release 2.0.0 is running: attempt 2 by ann@here, begun t0.",
        "  database        done at t2",
        "  microservices   running since t3",
        "  a       a:v2.0.0  3/3 available",
        "  wallet  wallet:v2.0.0  2/3 available, rolling out, 1 old ones ending",
        "  gone    is missing",
    ]


def test_nothing_recorded_is_said() -> None:
    assert status_lines(FREE, NOTHING, {"deployments": []}, []) == [
        "NO RELEASE: no release is recorded",
        "The lock is free.",
    ]


def recorded(status: str, **phases: t.Any) -> dict[str, t.Any]:
    bodies = {
        name: one if isinstance(one, dict) else {"status": one, "started": "t1", "finished": "t2"}
        for name, one in phases.items()
    }
    return {"version": "2.0.0", "status": status, "finished": "t9", "phases": bodies}


def failed(message: str, reason: str) -> dict[str, t.Any]:
    failures = {"localhost": {"message": message, "reason": reason}}
    return {"status": "failed", "started": "t1", "evidence": {"failures": failures}}


@pytest.mark.parametrize(
    ("record", "killed", "said"),
    [
        pytest.param(
            recorded("running", preflight="done", database="running"),
            "",
            "INTERRUPTED: release 2.0.0 in database (2 of 3) since t1; nobody holds the deploy lock",
            id="interrupted",
        ),
        pytest.param(
            recorded("done", preflight="done", database="done", microservices="done"),
            "Ann set the kill switch: complaints",
            "KILLED: Ann set the kill switch: complaints",
            id="killed",
        ),
        pytest.param(
            recorded("done", preflight="done", database="done", microservices="done"),
            "",
            "FINE: release 2.0.0 is done since t9",
            id="fine",
        ),
        pytest.param(
            recorded("failed", preflight="done", database=failed("disk full", "Conflict")),
            "",
            "FAILED: release 2.0.0 in database (2 of 3) since t1: disk full",
            id="failed",
        ),
        pytest.param(
            recorded("failed", preflight=failed("nobody answered", "Hold")),
            "",
            "ON HOLD: release 2.0.0 in preflight (1 of 3) since t1: nobody answered",
            id="on-hold",
        ),
        pytest.param(
            recorded("rolled_back", preflight="done", database="running"),
            "",
            "ROLLED BACK: release 2.0.0 at t9",
            id="rolled-back",
        ),
        pytest.param(
            recorded("running", preflight="done", database="done"),
            "",
            "NOT FINISHED: release 2.0.0: microservices is left",
            id="not-finished",
        ),
    ],
)
def test_the_first_line_is_the_verdict(record: dict[str, t.Any], killed: str, said: str) -> None:
    assert ": ".join(verdict(record, {"held": False}, killed, PLAN)) == said
