"""A record is read whole, whoever wrote it: what cannot be read is left out, and told."""

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from tests.fakes import release_records as records

RECORDS = Path(__file__).parents[4] / "stories" / "records"


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_a_record_of_an_earlier_version_is_read_whole(version):
    text = (RECORDS / f"of_{version}.json").read_text("utf-8")
    config_map, _end = json.JSONDecoder().raw_decode(text)
    record = Record.read(json.loads(config_map["data"]["record.json"]))
    assert (record.problems, record.attempt, record.actor) == ((), 1, "jane@laptop")
    assert {one.name for one in record.backups} == {"agent_core_prod", "supabase_prod"}
    assert record.phase("database").done
    assert all(one.applied for one in record.section("migrations"))


@pytest.mark.parametrize("made", [records.green, records.held, records.rolled_back, records.dead])
def test_a_record_that_runs_leave_has_no_problem(made):
    assert Record.read(made()).problems == ()


def test_what_is_of_another_kind_is_left_out_and_told():
    odd = {
        "actor": ["x"],
        "attempt": True,
        "phases": {"database": {"status": "done", "evidence": {"checks": 7}}, "odd": 1},
        "facts": {"overrides": {"lock": "x", "launch_window": {"by": "Jane"}}},
    }
    record = Record.read(odd)
    assert (record.actor, record.attempt, [*record.phases]) == ("", 0, ["database"])
    assert [one.by for one in record.facts.overrides] == ["Jane"]
    assert record.problems == (
        "'attempt' is no whole number.",
        "'actor' is no text.",
        "1 entries of 'phases' are no dictionaries.",
        "'checks' is neither a dictionary nor a list.",
        "1 entries of 'overrides' are no dictionaries.",
    )


def test_a_section_stands_in_the_record_its_facts_or_a_phase():
    named = [{"name": "health", "status": "pass"}]
    by_name = {"health": {"status": "pass"}}
    places: list[dict[str, t.Any]] = [
        {"checks": named},
        {"facts": {"checks": by_name}},
        {"phases": {"smoke_tests": {"evidence": {"checks": named}}}},
    ]
    for body in places:
        (check,) = Record.read(body).section("checks")
        assert (check.name, check.status) == ("health", "pass")


@pytest.mark.parametrize("body", [None, "x", [], {}, {"strange": 1}], ids=repr)
def test_what_is_no_record_does_not_exist(body):
    assert not Record.read(body).exists
