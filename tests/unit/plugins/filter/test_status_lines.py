# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.filter.status_lines import status_lines

LOCK = {"sentence": "Ann holds the lock."}
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
    assert status_lines(LOCK, {"record": record}, rollouts, ["a", "wallet", "gone"]) == [
        "Ann holds the lock.",
        "Release 2.0.0 is running: attempt 2 by ann@here, begun t0.",
        "  database        done at t2",
        "  microservices   running since t3",
        "  a       a:v2.0.0  3/3 available",
        "  wallet  wallet:v2.0.0  2/3 available, rolling out, 1 old ones ending",
        "  gone    is missing",
    ]


def test_nothing_recorded_is_said() -> None:
    assert status_lines(LOCK, NOTHING, {"deployments": []}, []) == [
        "Ann holds the lock.",
        "No release is recorded.",
    ]
