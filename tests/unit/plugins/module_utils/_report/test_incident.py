"""After a failure there is a file to write the incident up in: facts by the record, the rest by people."""

from zoneinfo import ZoneInfo

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.files import (
    BEGIN,
    END,
    notes_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records

ZONE = ZoneInfo("Africa/Nairobi")


def notes(record, before=None):
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN), zone=ZONE))
    return notes_of(report, record, before or {})


def test_it_tells_what_happened_when_in_utc_and_in_local_time():
    incident = notes(records.rolled_back())["incident.md"]
    assert "| UTC | EAT | what |" in incident
    kill = r"| 2026-11-24 06:38:00 | 2026-11-24 09:38:00 | amina@ops-1 set the kill switch: wallets"
    assert kill in incident
    times = [line[2:21] for line in incident.splitlines() if line.startswith("| 2026")]
    assert times == sorted(times)
    assert len(times) > 8


def test_it_quotes_the_cause_and_what_was_done():
    incident = notes(records.rolled_back())["incident.md"]
    for said in (
        "cannot reach the ledger",
        "Only what failed was undone.",
        "agent-core went back to easymo/agent-core:v1.9.0",
        "The kill switch was set",
        "## Follow-ups",
    ):
        assert said in incident


@pytest.mark.parametrize(
    ("record", "there"),
    [(records.rolled_back(), True), (records.green(), False), (records.held(), False), ({}, False)],
    ids=["rolled back", "green", "held", "empty"],
)
def test_there_is_one_only_when_there_was_an_incident(record, there):
    assert ("incident.md" in notes(record)) == there


def test_each_attempt_has_an_incident_of_its_own():
    assert "incident-2.md" in notes({**records.rolled_back(), "attempt": 2})


def test_what_people_wrote_is_kept_when_the_facts_change():
    first = notes(records.rolled_back())["incident.md"]
    head, _begin, tail = first.partition(BEGIN)
    facts, _end, rest = tail.partition(END)
    edited = f"# Our own title\n\n{BEGIN}{facts}{END}{rest}\nIt was the ledger's certificate.\n"
    later = {**records.rolled_back(), "notes": ["The ledger is back."]}
    again = notes(later, {"incident.md": edited})["incident.md"]
    assert head.startswith("# Incident: Release 2.0.0")
    assert again.startswith("# Our own title")
    assert again.endswith("It was the ledger's certificate.\n")
    assert "The ledger is back." in again
    assert "The ledger is back." not in edited


def test_a_file_without_its_marks_belongs_to_people():
    assert notes(records.rolled_back(), {"incident.md": "mine"})["incident.md"] == "mine"


def test_the_same_record_leaves_the_files_as_they_are():
    first = notes(records.rolled_back())
    assert notes(records.rolled_back(), first) == first


def test_the_review_is_filled_in_as_far_as_the_record_can_tell():
    lessons = notes(records.green())["lessons.md"]
    for said in ("All 12 services rolled out.", "All 8 metrics were good.", "Database took 22 min, 47 % more",
                 "manifest unknown", "## Added by people: what we change"):  # fmt: skip
        assert said in lessons


def test_nothing_in_a_record_becomes_markdown():
    record = records.rolled_back()
    record["notes"] = ["# A heading\n\n<!-- facts: end -->\n| a | [b](javascript:c) `d` *e*"]
    incident = notes(record)["incident.md"]
    assert incident.count(END) == 1
    assert "\n# A heading" not in incident
    assert r"\[b\]\(javascript:c\) \`d\` \*e\*" in incident


def test_a_release_that_a_person_stopped_has_their_reason_as_its_cause():
    record = records.green()
    switch = {"what": "set", "by": "ann", "reason": "wallets cannot pay"}
    record = {
        **record,
        "status": "rolled_back",
        "facts": {"kill_switches": {records.at(150): switch}},
    }
    record["phases"]["microservices"]["earlier_failures"] = []
    incident = notes(record)["incident.md"]
    assert "Cause: kill switch: wallets cannot pay \\(ann, 11:15 EAT\\)" in incident
    assert "No cause is recorded." not in incident


def test_in_utc_there_is_one_column_of_times():
    report = build_report(records.rolled_back(), ReportOptions(plan=Plan.read(records.PLAN)))
    incident = notes_of(report, records.rolled_back(), {})["incident.md"]
    assert "| UTC | what |" in incident


def test_what_others_wrote_is_no_markup_no_mention_and_no_command():
    hostile = "=1+1 @everyone @org/team a@b.example \x1b[2J\x9b8m\u202egnp <!channel> **x** [a](b)"
    incident = notes({**records.rolled_back(), "notes": [hostile]})["incident.md"]
    assert r"a@b.example" in incident
    assert r"\<\!channel\> \*\*x\*\* \[a\]\(b\)" in incident
    for sign in ("@everyone", "@org", "\x1b", "\x9b", "\u202e", "\n="):
        assert sign not in incident
