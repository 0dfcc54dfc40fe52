"""A real webhook that is ours and closed to others, and others that are not."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from tests.integration.running import connection
from tests.integration.supabase import Project, project_of
from tests.module_runner import Result, run_module

REFUSALS = ["unsigned message", "wrongly signed message", "malformed message", "oversized message"]
CHALLENGES = ["verification challenge", "challenge with a wrong token"]
SENDER = "250780000000"


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


def check(project: Project, slug: str = "wa-webhook", **arguments: t.Any) -> Result:
    given = {
        "url": project.url(slug),
        "verify_token": project.facts["wa_verify_token"],
        "app_secret": project.facts["wa_app_secret"],
        **arguments,
    }
    test = {"name": "webhook", "kind": "webhook", "webhook": given}
    result = run_module(smoke_tests, tests=[test])
    return {
        **result,
        "probes": [step for row in result.get("results", ()) for step in row["steps"]],
    }


def message(text: str, **arguments: t.Any) -> dict[str, t.Any]:
    return {"name": f"says {text}", "from": SENDER, "text": text, **arguments}


def failing(result: Result) -> list[str]:
    return [probe["name"] for probe in result["probes"] if probe["outcome"] == "fail"]


def test_our_webhook_answers_us_and_refuses_others(project):
    result = check(project, messages=[message("hello"), message("MENU", route="menu")])
    assert (result["changed"], failing(result)) == (False, [])
    names = [probe["name"] for probe in result["probes"]]
    assert names == [*CHALLENGES, *REFUSALS, "says hello", "says MENU"]
    assert all(probe["seconds"] < 30 for probe in result["probes"])


@pytest.mark.parametrize(
    ("wrong", "probes"),
    [
        ("app_secret", ["malformed message", "says hello"]),
        ("verify_token", ["verification challenge"]),
    ],
)
def test_a_wrong_secret_is_one_sentence_that_names_the_probe(project, wrong, probes):
    result = check(project, messages=[message("hello")], **{wrong: "not-the-secret"})
    assert (result["failed"], result["reason"]) == (True, "VerificationFailed")
    assert failing(result) == probes
    assert all(f"{probe}: " in result["msg"] for probe in probes)
    assert "exception" not in result
    secrets = ("not-the-secret", project.facts["wa_app_secret"], project.facts["wa_verify_token"])
    assert not any(secret in str(result) for secret in secrets)


def test_a_webhook_that_is_not_there_or_does_not_answer_is_told(project):
    missing = check(project, "nobody")
    assert "the challenge was answered 404" in missing["msg"]
    project.break_down("slow", "wa-webhook", seconds="5")
    slow = check(project, request_timeout=1)
    assert "it answered none of 6 requests" in slow["msg"]
    assert "it did not answer within 1 s" in slow["msg"]
    assert project.facts["wa_verify_token"] not in str(slow)


def test_an_accepted_message_is_seen_in_the_log(world, project):
    result = check(
        project,
        messages=[message("MENU", route="menu", buttons=True)],
        message_prefix="release-9.9.9",
        logs=project.options,
    )
    (sent,) = [probe for probe in result["probes"] if probe["name"] == "says MENU"]
    assert sent["message_id"].startswith("wamid.release-9.9.9.")
    assert sent["evidence"] == "accepted with 200, went to menu, seen in the function's log"
    # The witness reads the log by itself.
    lines = project.client.call("GET", "/analytics/endpoints/logs.all")["result"]
    assert any(sent["message_id"] in line["event_message"] for line in lines)


def test_a_message_that_leaves_no_trace_is_told_with_the_table(world, project):
    result = check(
        project,
        messages=[message("MENU", recorded_in=["whatsapp_messages"])],
        database=connection(world),
        seen_timeout=1,
    )
    assert failing(result) == ["says MENU"]
    assert "it was accepted and is not in whatsapp_messages" in result["msg"]


def test_a_table_that_is_not_there_is_named_at_once(world, project):
    result = check(
        project,
        messages=[message("MENU", recorded_in=["no such table"])],
        database=connection(world),
    )
    assert "refuses to search table 'no such table'" in result["msg"]


def test_a_message_prefix_that_is_none_is_refused_before_anything_is_sent(project):
    result = check(project, message_prefix="a b")
    assert "'message_prefix' is 'a b'" in result["msg"]
