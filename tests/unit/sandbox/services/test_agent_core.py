"""agent-core answers every message, whatever is switched off or away."""

import typing as t

import pytest
from aiohttp.test_utils import TestClient

from sandbox.names import INTERNAL_NUMBER
from tests.unit.sandbox.services.client import Container

Client = TestClient[t.Any, t.Any]

ON = {
    "FEATURE_AI_AGENTS": "true",
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "1",
    "FEATURE_BUYER_AGENT": "true",
    "FEATURE_CUSTOMER_SUPPORT_AGENT": "true",
    "AGENT_ALLOW_LIST": INTERNAL_NUMBER,
    "ADMIN_TOKEN": "letmein",
}


def ask(container: Container, text: str, number: str = INTERNAL_NUMBER) -> dict[str, t.Any]:
    answers: list[dict[str, t.Any]] = []

    async def story(client: Client) -> None:
        body = {"from": number, "text": text, "message_id": "wamid.1"}
        async with client.post("/messages", json=body) as response:
            assert response.status == 200
            answers.append(await response.json())
        async with client.get("/metrics") as response:
            answers[0]["metrics"] = await response.text()

    container.run(story)
    return answers[0]


def test_the_previous_release_always_answers_with_the_menu():
    answer = ask(Container("agent-core", "1.9.0", ON), "I need vegetables")
    assert (answer["handled_by"], answer["agent"]) == ("menu", None)
    assert answer["reply"]["type"] == "menu"


def test_an_agent_answers_an_allow_listed_number():
    container = Container("agent-core", "2.0.0", ON)
    answer = ask(container, "hello")
    assert (answer["handled_by"], answer["agent"]) == ("agent", "customer_support")
    assert 'agent_requests_total{outcome="success"} 1.0' in answer["metrics"]
    assert any("routed to an agent" in line and "***0001" in line for line in container.log)


def test_no_line_of_the_log_has_a_whole_number():
    container = Container("agent-core", "2.0.0", ON)
    ask(container, "hello")
    assert not any(INTERNAL_NUMBER in line for line in container.log)


def test_menu_never_asks_an_agent():
    answer = ask(Container("agent-core", "2.0.0", ON), " menu ")
    assert (answer["handled_by"], answer["reason"]) == ("menu", "menu_requested")
    assert 'agent_requests_total{outcome="success"} 0.0' in answer["metrics"]


def test_an_agent_that_is_switched_off_falls_back_to_the_menu():
    answer = ask(Container("agent-core", "2.0.0", ON), "house for rent")
    assert (answer["handled_by"], answer["agent"]) == ("menu", "marketplace")
    assert answer["reason"] == "fallback_disabled"
    assert 'agent_fallbacks_total{reason="disabled"} 1.0' in answer["metrics"]


def test_an_agent_that_fails_falls_back_to_the_menu_and_says_so():
    container = Container("agent-core", "2.0.0", ON)  # It has no database to look vendors up in.
    answer = ask(container, "I need vegetables")
    assert (answer["handled_by"], answer["reason"]) == ("menu", "fallback_error")
    assert answer["reply"]["type"] == "menu"
    assert 'agent_requests_total{outcome="error"} 1.0' in answer["metrics"]
    assert any(line.startswith("ERROR agent failed") for line in container.log)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"from": "1", "text": 3, "message_id": "x"}', b'{"from": "1"}']
)
def test_what_is_no_message_is_refused(body):
    async def story(client: Client) -> None:
        async with client.post("/messages", data=body) as response:
            assert response.status == 400
            assert "error" in await response.json()

    Container("agent-core", "2.0.0").run(story)


@pytest.mark.parametrize("token", ["", "Bearer wrong", "letmein"])
def test_the_banner_asks_for_the_admin_token(token):
    async def story(client: Client) -> None:
        headers = {"Authorization": token}
        async with client.post("/admin/banner", json={"message": "x"}, headers=headers) as response:
            assert response.status == 401

    Container("agent-core", "1.9.0", ON).run(story)


@pytest.mark.parametrize("body", [{}, {"message": " "}, {"message": "x", "type": "loud"}])
def test_a_bad_banner_is_refused(body):
    async def story(client: Client) -> None:
        headers = {"Authorization": "Bearer letmein"}
        async with client.post("/admin/banner", json=body, headers=headers) as response:
            assert response.status == 400

    Container("agent-core", "1.9.0", ON).run(story)
