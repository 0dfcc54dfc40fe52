"""Over HTTP: who may speak, what a fault does, and that the page believes nothing it shows."""

import asyncio
import json

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sandbox.faults import Fault, Faults
from sandbox.sinks.component import Sinks, webhook_url
from sandbox.sinks.server import Server
from sandbox.world import World

POST = "/slack/api/chat.postMessage"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    Sinks().prepare(made)
    return made


@pytest.fixture
def ask(world):
    """Asks the sinks: `ask(method, path, **how)` gives (status, text, headers)."""
    server = Server(world)

    def one(method, path, **how):
        async def exchange():
            async with TestClient(TestServer(server.app(), host="127.0.0.1")) as client:
                answer = await client.request(method, path, **how)
                return answer.status, await answer.text(), answer.headers

        return asyncio.run(exchange())

    return one


def bearer(world, name="slack_bot_token", scheme="Bearer"):
    return {"Authorization": f"{scheme} {Sinks().facts(world)[name]}"}


def set_fault(world, name, target="", **parameters):
    Faults(world.faults_file).write([Fault("sinks", name, target, parameters)])


def test_a_message_posted_as_form_or_json_is_seen_on_the_page_and_in_the_json(world, ask):
    how = {"headers": bearer(world)}
    for sent in (
        {"data": {"channel": "#devops", "text": "f<b>orm"}},
        {"json": {"channel": "devops", "text": "json"}},
    ):
        assert '"ok": true' in ask("POST", POST, **how, **sent)[1]
    _, page, headers = ask("GET", "/?channel=devops")
    assert "f&lt;b&gt;orm" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "json" in ask("GET", "/api/messages.json")[1]


@pytest.mark.parametrize(
    ("headers", "error"),
    [({}, "not_authed"), ({"Authorization": "Bearer xoxb-other"}, "invalid_auth")],
)
def test_slack_wants_its_token(ask, headers, error):
    assert error in ask("POST", POST, json={"channel": "devops", "text": "x"}, headers=headers)[1]


def test_the_other_services_want_theirs(world, ask):
    for path in ("/github/repos/o/r/statuses/" + "a" * 40, "/statuspage/v1/pages/easymo/incidents"):
        assert ask("POST", path, json={})[0] == 401
    assert ask("POST", "/slack/webhook/T/B/wrong", json={"text": "x"})[0] == 404
    assert ask("GET", "/openai/v1/models")[0] == 401
    assert ask("GET", "/openai/v1/models", headers=bearer(world, "openai_api_key"))[0] == 200


def test_a_revoked_token_is_no_longer_known(world, ask):
    set_fault(world, "token-revoked", "slack")
    sent = {"json": {"channel": "devops", "text": "x"}, "headers": bearer(world)}
    assert "token_revoked" in ask("POST", POST, **sent)[1]


def test_a_rate_limit_lets_one_through_and_says_when_to_come_back(world, ask):
    set_fault(world, "rate-limited", "slack", seconds="30")
    sent = {"json": {"channel": "devops", "text": "x"}, "headers": bearer(world)}
    first, second = ask("POST", POST, **sent), ask("POST", POST, **sent)
    assert (first[0], second[0], second[2]["Retry-After"]) == (200, 429, "30")
    assert "slack 429" in ask("GET", "/api/messages.json")[1]


def test_an_outage_of_one_sink_is_not_one_of_another(world, ask):
    set_fault(world, "errors", "pagerduty")
    assert ask("POST", "/pagerduty/v2/enqueue", json={})[0] == 500
    assert ask("POST", "/slack/api/auth.test", headers=bearer(world))[0] == 200


def test_every_view_is_drawn_even_when_what_came_is_odd(world, ask):
    odd = [{"title": 1}, {}, "x"]
    ask("POST", POST, json={"channel": "v2-deployment", "attachments": odd}, headers=bearer(world))
    payload = {"summary": "s", "source": "x", "severity": "info", "custom_details": [1]}
    key = Sinks().facts(world)["pagerduty_routing_key"]
    trigger = {"routing_key": key, "event_action": "trigger", "payload": payload}
    assert ask("POST", "/pagerduty/v2/enqueue", json=trigger)[0] == 202
    for view in ("slack", "mail", "pagerduty", "github", "statuspage", "<x>"):
        assert ask("GET", "/", params={"view": view})[0] == 200


def token(world):
    return {"Authorization": f"Token token={Sinks().facts(world)['pagerduty_token']}"}


def test_pagerduty_tells_who_is_on_call_to_who_has_its_token(world, ask):
    assert ask("GET", "/pagerduty/oncalls")[0] == 401
    assert ask("GET", "/pagerduty/oncalls", headers={"Authorization": "Token token=x"})[0] == 401
    status, text, _ = ask("GET", "/pagerduty/oncalls", headers=token(world))
    people = [(c["escalation_level"], c["user"]["summary"]) for c in json.loads(text)["oncalls"]]
    assert status == 200
    assert people == [(1, "Amina Uwase"), (2, "Kwame Mensah"), (3, "Wanjiru Kariuki")]
    set_fault(world, "nobody-on-call")
    assert json.loads(ask("GET", "/pagerduty/oncalls", headers=token(world))[1])["oncalls"] == []
    set_fault(world, "token-revoked", "pagerduty")
    assert ask("GET", "/pagerduty/oncalls", headers=token(world))[0] == 401


def test_a_schedule_has_the_shifts_of_the_time_asked_for(world, ask):
    def shifts(**query):
        name = Sinks().facts(world)["pagerduty_schedule"]
        params = {"schedule_ids[]": name, **query}
        status, text, _ = ask("GET", "/pagerduty/oncalls", headers=token(world), params=params)
        calls = json.loads(text).get("oncalls", ())
        return status, [(c["start"], c["end"], c["user"]["summary"]) for c in calls]

    # The Tuesday of the release: the week from Monday on, and the next one when it is asked for too.
    day = {"since": "2025-11-11T06:00:00Z", "until": "2025-11-17T07:00:00+00:00"}
    assert shifts(**day)[1] == [
        ("2025-11-10T06:00:00Z", "2025-11-17T06:00:00Z", "Amina Uwase"),
        ("2025-11-17T06:00:00Z", "2025-11-24T06:00:00Z", "Amina Uwase"),
    ]
    assert shifts(**{"schedule_ids[]": "PNOBODY"})[1] == []
    assert shifts(since="tomorrow")[0] == 400
    assert shifts(since=day["until"], until=day["since"])[0] == 400


def test_faults_of_one_channel_leave_the_others(world, ask):
    set_fault(world, "not-in-channel", "devops")
    for channel, said in (("devops", "not_in_channel"), ("v2-deployment", '"ok": true')):
        sent = {"json": {"channel": channel, "text": "x"}, "headers": bearer(world)}
        assert said in ask("POST", POST, **sent)[1]


def test_a_webhook_posts_what_alertmanager_sends_to_its_own_channel(world, ask):
    sent = {"channel": "#x", "attachments": [{"title": "<b>Slow", "text": "2 s"}, "odd"]}
    url = webhook_url(world, "engineering-alerts").partition("/slack")
    assert ask("POST", f"/slack{url[2]}", json=sent)[1] == "ok"
    page = ask("GET", "/?channel=engineering-alerts")[1]
    assert "&lt;b&gt;Slow" in page
    set_fault(world, "channel-missing", "engineering-alerts")
    assert ask("POST", f"/slack{url[2]}", json=sent)[:2] == (404, "channel_not_found")
