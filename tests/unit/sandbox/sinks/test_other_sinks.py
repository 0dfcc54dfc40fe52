"""PagerDuty, GitHub, the status page and the mailbox: the rules a deployment relies on."""

import pytest

from sandbox.sinks import github, incidents
from sandbox.sinks.store import Store, parse
from tests.tables import cases

KEY = "0123456789abcdef0123456789abcdef"
SHA = "a1" * 20


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "received.jsonl")


def event(action, **more):
    payload = {"summary": "rolled back", "source": "deploy", "severity": "critical"}
    given = {"routing_key": KEY, "event_action": action, "dedup_key": "r", "payload": payload}
    return {**given, **more}


def enqueue(store, action, **more):
    services = {KEY: "on-call-engineer", "e" * 32: "engineering-manager"}
    return incidents.enqueue(store, services, event(action, **more))


def test_events_with_one_key_make_one_incident(store):
    for action in ("trigger", "trigger", "acknowledge", "resolve"):
        assert enqueue(store, action)[0] == 202
    (incident,) = store.all("pagerduty")
    assert incident["status"] == "resolved"
    assert [line["action"] for line in incident["log"]][-1] == "resolve"


@cases(("action", "key"), {"nothing": ("resolve", KEY), "another team": ("trigger", "f" * 32)})
def test_a_resolve_for_nothing_and_another_teams_key_are_accepted_and_make_nothing(
    store, action, key
):
    assert enqueue(store, action, routing_key=key)[0] == 202
    assert store.all("pagerduty") == []


def test_the_routing_key_decides_who_is_paged(store):
    for key in (KEY, "e" * 32):
        assert enqueue(store, "trigger", routing_key=key, dedup_key=key)[0] == 202
    paged = [incident["service"] for incident in store.all("pagerduty")]
    assert paged == ["on-call-engineer", "engineering-manager"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing_key": "short"},
        {"event_action": "shout"},
        {"payload": {"summary": "x", "source": "y", "severity": "terrible"}},
        {"payload": None},
    ],
)
def test_an_invalid_event_is_refused_with_the_reasons(store, wrong):
    status, body = enqueue(store, "trigger", **wrong)
    assert (status, body["status"]) == (400, "invalid event")
    assert body["errors"]


def test_the_newest_status_of_each_context_counts(store):
    for state, context in (("pending", "deploy"), ("success", "ci"), ("success", "deploy")):
        body = {"state": state, "context": context}
        assert github.create_status(store, "o/r", SHA, body)[0] == 201
    status, body = github.combined(store, "o/r", SHA, {})
    assert (status, body["state"], body["total_count"]) == (200, "success", 2)


def test_check_runs_are_listed_in_pages_and_the_newest_of_each_suite(store):
    runs = [
        ("unit", None, 1),
        ("unit", "success", 1),
        ("unit", "failure", 2),
        ("docs", "skipped", 1),
    ]
    for name, conclusion, suite in runs:
        body = {"name": name, "head_sha": SHA, "conclusion": conclusion, "check_suite": suite}
        assert github.create_run(store, "o/r", body)[0] == 201
    status, body = github.listed(store, "o/r", SHA, {"per_page": "2"})
    told = [(run["name"], run["status"], run["conclusion"]) for run in body["check_runs"]]
    assert (status, body["total_count"]) == (200, 3)
    assert told == [("docs", "completed", "skipped"), ("unit", "completed", "failure")]
    assert github.listed(store, "o/r", SHA, {"filter": "all"})[1]["total_count"] == 4
    assert github.listed(store, "o/r", SHA, {"status": "queued"})[1]["total_count"] == 1
    assert (
        github.create_run(store, "o/r", {"name": "x", "head_sha": SHA, "conclusion": "great"})[0]
        == 422
    )


def test_a_commit_nobody_has_is_refused(store):
    assert github.create_status(store, "o/r", "main", {"state": "success"})[0] == 422


def test_an_incident_of_the_status_page_grows_by_updates(store):
    incidents.seed(store)
    wanted = {
        "name": "Upgrade",
        "status": "in_progress",
        "scheduled_for": "2026-11-24T06:00:00Z",
        "scheduled_until": "2026-11-24T08:00:00Z",
        "body": "a",
        "components": {"cmpapi": "under_maintenance"},
    }
    _, made = incidents.create_incident(store, {"incident": wanted})
    assert incidents.incidents(store, "unresolved") == (200, [])
    assert incidents.incidents(store, "active_maintenance")[1] == [made]
    closing = {"status": "completed", "body": "b", "components": {"cmpapi": "operational"}}
    _, closed = incidents.update_incident(store, made["id"], {"incident": closing})
    assert [update["body"] for update in closed["incident_updates"]] == ["b", "a"]
    assert incidents.incidents(store, "active_maintenance") == (200, [])
    assert {c["status"] for c in store.all("statuspage_components")} == {"operational"}


def test_a_maintenance_without_its_times_is_refused(store):
    wanted = {"name": "Upgrade", "status": "in_progress"}
    assert incidents.create_incident(store, {"incident": wanted})[0] == 422


def test_a_mail_is_read_with_both_bodies_and_its_real_recipients():
    mail = "\r\n".join(
        [
            "X-Sandbox-Recipients: a@x.example b@x.example",
            "X-Sandbox-TLS: yes",
            "From: d@x.example",
            "To: a@x.example",
            "Subject: =?utf-8?q?Done_=E2=9C=85?=",
            "Content-Type: multipart/alternative; boundary=b",
            *("", "--b", "Content-Type: text/plain", "", "plain"),
            *("--b", "Content-Type: text/html", "", "<p>html", "--b--", ""),
        ]
    ).encode()
    read = parse("000001.eml", mail)
    assert (read["subject"], read["text"].strip(), read["html"].strip()) == (
        "Done ✅",
        "plain",
        "<p>html",
    )
    assert (read["recipients"], read["secured"]) == (["a@x.example", "b@x.example"], True)
