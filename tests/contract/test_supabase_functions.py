"""The application's edge functions, run by the sandbox's Supabase."""

import hashlib
import hmac
import json

import pytest

from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from tests.contract.supabase_project import Project, release


def signed(project: Project, body: bytes) -> dict[str, str]:
    secret = project.facts["wa_app_secret"].encode()
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"}


def notification(text: str) -> bytes:
    message = {"from": "250780000001", "id": "wamid.1", "type": "text", "text": {"body": text}}
    change = {"value": {"messages": [message]}}
    entry = {"changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


@pytest.mark.parametrize("version", [PREVIOUS_VERSION, RELEASE_VERSION])
def test_the_webhook_answers_with_the_menu_when_agent_core_is_away(project, version):
    assert project.deploy(release(version, "wa-webhook")).status_code == 201
    body = notification("I need vegetables")
    answer = project.call(
        "/functions/v1/wa-webhook", "POST", data=body, headers=signed(project, body)
    )

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["version"]) == ("ok", version)
    (reply,) = answer.json()["replies"]
    assert (reply["message_id"], reply["route"]) == ("wamid.1", "fallback")
    assert "Find vendors" in reply["buttons"]


def test_the_webhook_refuses_what_is_not_whatsapps(project):
    path, body = "/functions/v1/wa-webhook", notification("hello")
    right = signed(project, body)
    large = b"x" * (1024 * 1024 + 1)

    assert project.call(path, "POST", data=body).status_code == 401
    assert project.call(path, "POST", data=body + b" ", headers=right).status_code == 401
    assert project.call(path, "POST", data=b"{}", headers=signed(project, b"{}")).status_code == 400
    assert project.call(path, "POST", data=large, headers=signed(project, large)).status_code == 413


def test_the_webhook_gives_the_challenge_back_to_who_knows_the_token(project):
    query = {"hub.mode": "subscribe", "hub.challenge": "test"}
    right = {**query, "hub.verify_token": project.facts["wa_verify_token"]}
    path = "/functions/v1/wa-webhook"

    assert project.call(path, params=right).text == "test"
    assert project.call(path, params={**query, "hub.verify_token": "x"}).status_code == 403
    assert project.call(path, params={**right, "hub.mode": "x"}).status_code == 403


def test_administrators_need_their_token(project):
    project.deploy(release(PREVIOUS_VERSION, "admin-agents"))
    token = {"Authorization": f"Bearer {project.world.secret('admin-token')}"}

    assert project.call("/functions/v1/admin-agents").status_code == 401
    assert project.call("/functions/v1/admin-agents", headers=token).json()["agents"] == []
