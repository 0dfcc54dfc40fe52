"""The record tells who let the release go, who signed, and which commit it is."""

import typing as t

import pytest

RELEASE = "2.0.0-test-role-preflight"
FOREIGN = {"unit_tests", "synthetic_tests", "load_test", "performance", "git_changelog"}


@pytest.fixture(scope="module")
def record(witness) -> dict[str, t.Any]:
    return witness.record(RELEASE)


def test_who_waived_what_and_why_is_kept(record):
    overrides = record["facts"]["overrides"]
    assert set(overrides) == FOREIGN
    assert {(one["by"], one["reason"]) for one in overrides.values()} == {
        ("Jane Doe", "a scenario")
    }
    assert "is of version 2.0.0 and not of" in overrides["unit_tests"]["what"]


def test_everybody_signed_and_one_in_the_place_of_another(record):
    signed = record["facts"]["sign_offs"]
    assert len(signed) == 11
    assert {name for name, one in signed.items() if one["by"] == "Jane Doe"} == {"qa"}
    assert signed["product"]["by"] == "Rehearser of the sandbox"


def test_all_of_it_is_of_the_commit_of_the_checkout(record, witness):
    commit = witness.facts["sinks"]["commit"]
    assert record["git_sha"] == commit
    assert {one["git_sha"] for one in record["facts"]["sign_offs"].values()} == {commit}
