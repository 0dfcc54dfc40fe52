"""Of each user the first message of a minute is counted, none after a failure: by what was drawn, once for all pods."""

from __future__ import annotations

import typing as t

import pytest
from aiohttp.test_utils import TestClient

from sandbox.faults import Fault
from sandbox.names import INTERNAL_NUMBER
from sandbox.services.connections import Cache
from sandbox.services.routing import in_rollout
from tests.unit.sandbox.services.client import Container

Client = TestClient[t.Any, t.Any]

ON = {
    "FEATURE_AI_AGENTS": "true",
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "50",
    "FEATURE_CUSTOMER_SUPPORT_AGENT": "true",
    "AGENT_ALLOW_LIST": INTERNAL_NUMBER,
}
NUMBERS = [f"2507{number:08d}" for number in range(1000)]
TREATED = [number for number in NUMBERS if in_rollout(number, 50)]
CONTROL = [number for number in NUMBERS if not in_rollout(number, 50)]


class Store:
    """What all pods share: a key is set once."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def client(self, _cache: Cache) -> Store:
        return self

    async def set(self, key: str, _value: int, *, nx: bool, ex: int) -> bool | None:
        if nx and key in self.kept:
            return None
        self.kept[key] = ex
        return True


@pytest.fixture
def store(monkeypatch) -> Store:
    shared = Store()
    monkeypatch.setattr(Cache, "client", lambda cache: shared.client(cache))
    return shared


def writes(container: Container, *messages: tuple[str, str]) -> tuple[list[int], dict[str, float]]:
    """The status of each answer, and the counters afterwards."""
    statuses: list[int] = []
    counted: dict[str, float] = {}

    async def story(client: Client) -> None:
        for number, text in messages:
            body = {"from": number, "text": text, "message_id": "wamid.1"}
            async with client.post("/messages", json=body) as response:
                statuses.append(response.status)
        async with client.get("/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith(("users_seen_total{", "users_failed_total{")):
                    name, value = line.split()
                    what, cohort = name.removeprefix("users_").split("_total{cohort=")
                    counted[f"{cohort[1:-2]} {what}"] = float(value)

    container.run(story)
    return statuses, counted


def failing(percent: float, treated: float) -> dict[str, Fault]:
    given = {"percent": str(percent), "treated": str(treated)}
    return {"users-fail": Fault("node", "users-fail", "agent-core", given)}


def counts(treated: tuple[int, int], control: tuple[int, int]) -> dict[str, float]:
    (one, two), (three, four) = treated, control
    names = ("treated seen", "treated failed", "control seen", "control failed")
    return dict(zip(names, (one, two, three, four), strict=True))


def container(version: str = "2.0.0", **given: t.Any) -> Container:
    return Container("agent-core", version, ON, **given)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("version", ["1.9.0", "2.0.0"])
def test_nobody_is_0_and_not_silence(version):
    assert writes(container(version))[1] == counts((0, 0), (0, 0))


@pytest.mark.usefixtures("store")
def test_a_user_who_writes_and_fails_again_and_again_is_one():
    messages = [(TREATED[0], "hello")] * 5 + [(CONTROL[0], "hello")] * 3
    _statuses, counted = writes(container(faults=failing(100, 100)), *messages)
    assert counted == counts((1, 1), (1, 1))


@pytest.mark.usefixtures("store")
def test_the_menu_leaves_users_where_they_were_drawn():
    # Asked for, in the place of an agent that is off, and of one that cannot look anything up.
    messages = zip(TREATED[:3], ("MENU", "a house to rent", "hello"), strict=True)
    statuses, counted = writes(container(), *messages, (CONTROL[0], "MENU"))
    assert set(statuses) == {200}
    assert counted == counts((3, 0), (1, 0))


@pytest.mark.usefixtures("store")
def test_nobody_drew_who_is_in_the_allow_list():
    statuses, counted = writes(container(faults=failing(100, 100)), (INTERNAL_NUMBER, "hello"))
    assert (statuses, counted) == ([200], counts((0, 0), (0, 0)))


@pytest.mark.usefixtures("store")
def test_another_pod_and_another_draw_do_not_count_a_user_once_more():
    faults = failing(100, 100)
    assert writes(container(faults=faults), (CONTROL[0], "hello"))[1] == counts((0, 0), (1, 1))
    everybody = {**ON, "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "100"}
    other = Container("agent-core", "2.0.0", everybody, faults=faults)
    assert writes(other, (CONTROL[0], "hello"))[1] == counts((0, 0), (0, 0))


def test_a_user_counts_once_a_minute_and_not_for_two_hours_after_a_failure(store):
    writes(container(), (TREATED[0], "hello"), (CONTROL[0], "hello"))
    # Whose later message fails is not counted again either, and has not failed.
    _statuses, counted = writes(container(faults=failing(0, 100)), (TREATED[0], "hello"))
    assert counted == counts((0, 0), (0, 0))
    kept = {key: one for key, one in store.kept.items() if key.startswith("cohorts:")}
    assert kept == {f"cohorts:{TREATED[0]}": 7200, f"cohorts:{CONTROL[0]}": 60}


@pytest.mark.usefixtures("store")
def test_an_answer_later_than_the_webhook_waits_has_failed(monkeypatch):
    monkeypatch.setattr("sandbox.services.cohorts.ANSWER_SECONDS", 0.0)
    statuses, counted = writes(container(), (TREATED[0], "hello"))
    assert (statuses, counted) == ([200], counts((1, 1), (0, 0)))


def test_users_whom_nobody_can_tell_apart_are_answered_and_not_counted():
    silent = container()
    statuses, counted = writes(silent, (TREATED[0], "hello"), (CONTROL[0], "hello"))
    assert (statuses, counted) == ([200, 200], counts((0, 0), (0, 0)))
    assert len([line for line in silent.log if "users are not counted" in line]) == 1


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("treated", [8, 4])
def test_the_fault_fails_as_many_as_it_was_asked_for(treated):
    messages = [(number, "hello") for number in (*TREATED[:100], *CONTROL[:200])]
    statuses, counted = writes(container(faults=failing(4, treated)), *messages)
    assert statuses.count(500) == treated + 8
    assert counted == counts((100, treated), (200, 8))
