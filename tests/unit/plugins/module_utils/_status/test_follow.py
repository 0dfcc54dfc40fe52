"""Following: what changed, one line each, and an end for each way a release can end."""

import typing as t
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    BLIND,
    Observed,
    StatusOptions,
    changes,
    follow,
    status_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import Story
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Reported
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.run import Live
from tests.fakes.cluster import FakeClock

PLAN = [{"name": "database", "title": "Database"}, {"name": "microservices", "title": "Services"}]
SERVICES = ["agent-core", "wallet"]
START = "2026-11-24T09:00:00Z"


def lock(renewed: int) -> dict[str, t.Any]:
    return {
        "held": True,
        "holder": "ann@ops",
        "manual": False,
        "purpose": "deploy",
        "renewed": f"2026-11-24T09:{renewed:02}:00Z",
        "until": f"2026-11-24T09:{renewed + 2:02}:00Z",
    }


FREE = {"held": False, "manual": False}


def phase(status: str) -> dict[str, t.Any]:
    finished = "" if status == "running" else "2026-11-24T09:01:10Z"
    return {"status": status, "started": START, "finished": finished}


def pods(wallet: int, version: str = "v2") -> list[dict[str, t.Any]]:
    return [
        {
            "name": name,
            "images": {name: f"easymo/{name}:{version if name == 'wallet' else 'v1'}"},
            "paused": False,
            "complete": available == 3,
            "replicas": {"desired": 3, "available": available, "terminating": 0},
        }
        for name, available in (("agent-core", 3), ("wallet", wallet))
    ]


def seen(held: dict[str, t.Any], wallet: int = 3, **phases: str) -> Observed:
    done = all(one == "done" for one in phases.values()) and len(phases) == 2
    record = {
        "version": "2.0.0",
        "status": "done" if done else "running",
        "started": START,
        "finished": "2026-11-24T09:05:00Z" if done else "",
        "phases": {name: phase(one) for name, one in phases.items()},
    }
    return Observed(Story(Record.read(record), lock=held), "The lock.", pods(wallet))


def status_at(wallet: int, **phases: str) -> dict[str, t.Any]:
    moment = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)
    return status_of(
        seen(lock(0), wallet, **phases), StatusOptions(SERVICES, Plan.read(PLAN)), moment
    )


def followed(
    *looks: Observed | Exception, interval: float = 2.0
) -> tuple[dict[str, t.Any], list[str], FakeClock]:
    """The last look is seen again and again."""
    left, told, clock = list(looks), [], FakeClock()

    def ends() -> None:
        assert clock.now() < 10_000, "it follows what nobody works on"

    clock.listeners.append(ends)

    def look() -> Observed:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    status = follow(
        look,
        lambda one, now: status_of(one, StatusOptions(SERVICES, Plan.read(PLAN)), now),
        lambda _event, text, _data: told.append(text),
        clock,
        interval=interval,
        today=lambda: datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC),
    )
    return status, told, clock


def test_it_tells_each_phase_and_the_services_pods_and_ends_with_the_release():
    status, told, _clock = followed(
        seen(lock(0), database="running"),
        seen(lock(0), database="running"),
        seen(lock(0), wallet=0, database="done", microservices="running"),
        seen(lock(0), wallet=2, database="done", microservices="running"),
        seen(lock(0), wallet=3, database="done", microservices="running"),
        seen(FREE, database="done", microservices="done"),
    )
    assert told == [
        "Database (1 of 2) running",
        "Database (1 of 2) done after 1 min 10 s",
        "Services (2 of 2) running",
        "1 of 2 services complete · rolling: wallet v2 0/3",
        "1 of 2 services complete · rolling: wallet v2 2/3",
        "wallet v2 3/3",
    ]
    assert status["verdict"] == "FINE"


def test_a_phase_that_was_taken_back_did_not_last_until_then():
    before = status_at(wallet=3, database="done", microservices="done")
    after = status_at(wallet=3, database="rolled_back", microservices="done")
    assert [text for _event, text, _status in changes(before, after)] == [
        "Database (1 of 2) rolled back"
    ]


def test_a_watch_that_holds_is_told_of_and_followed_on():
    running = seen(lock(0), database="done", microservices="running")
    watch = {"phase_started": START, "held": 60.0, "held_why": ["kafka_lag has no data"]}
    status, told, _clock = followed(
        running,
        replace(running, story=replace(running.story, watches={"microservices": watch})),
        replace(running, story=replace(running.story, watches={"microservices": watch})),
        seen(FREE, database="done", microservices="done"),
    )
    assert told[1:] == [
        "on hold: Services (2 of 2) for 30 s, by ann@ops, still watching: kafka_lag has no data"
    ]
    assert status["verdict"] == "FINE"


@pytest.mark.parametrize(
    ("last", "verdict"),
    [(seen(FREE, database="failed"), "FAILED"), (seen(FREE, database="running"), "INTERRUPTED")],
)
def test_it_ends_when_nobody_works_on_it_any_more(last, verdict):
    status, _told, _clock = followed(seen(lock(0), database="running"), last)
    assert status["verdict"] == verdict


def test_a_lock_that_is_not_renewed_for_as_long_as_it_lasts_counts_as_free():
    status, _told, clock = followed(seen(lock(0), database="running"))
    assert status["verdict"] == "INTERRUPTED"
    assert 220 < clock.now() < 230


def test_a_lock_that_is_renewed_is_followed_on():
    looks = [seen(lock(minute), database="running") for minute in range(10)]
    status, told, clock = followed(*looks, interval=60.0)
    assert status["verdict"] == "INTERRUPTED"
    assert clock.now() > 700
    assert "Database (1 of 2) for 30 s, by ann@ops" in told


def test_a_log_keeps_each_change_and_a_terminals_line_the_counts():
    live = Live()
    begun = changes(None, status_at(wallet=0, database="done", microservices="running"))
    done = changes(
        status_at(wallet=0, database="done", microservices="running"),
        status_at(wallet=3, database="done", microservices="failed"),
    )
    facts = [
        live.report(Reported(event, "localhost", text, {"status": status}))
        for event, text, status in (*begun, *done)
    ]
    assert [(one.text, one.tone) for one in facts if one] == [
        ("Services (2 of 2) running", "calm"),
        ("Services (2 of 2) failed after 1 min 10 s", "bad"),
        ("wallet v2 3/3", "good"),
    ]
    assert live.text(9.0) == ""


def test_losing_sight_for_a_while_is_said_and_ends_nothing():
    status, told, _clock = followed(
        seen(lock(0), database="running"),
        UnreachableError("no route"),
        UnreachableError("no route"),
        seen(FREE, database="done", microservices="done"),
    )
    assert told[1:] == [
        "cannot see the cluster, and goes on trying: no route",
        "sees the cluster again",
    ]
    assert status["verdict"] == "FINE"


def test_losing_sight_for_long_ends_it_as_what_it_is():
    with pytest.raises(UnreachableError):
        followed(UnreachableError("no route"), interval=BLIND / 3)
