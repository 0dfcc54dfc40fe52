"""Who may sign what, which sign-offs count, and how they live with the attempts of a release."""

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.sign_offs import (
    Ask,
    Subject,
    Wanted,
    as_json,
    known_sign_offs,
    missing_because,
    plan_sign_off,
    read_given,
    read_wanted,
    subject_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._release.models import PLANNED
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import (
    RecordChange,
    plan_record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record, SignOff
from tests.tables import cases

QA = Wanted("qa", "QA sign-off received", "the QA lead", "1 Staging Validation")
WANTED = [QA, Wanted("product", "Product sign-off received")]
COMMIT = "a1" * 20
SUBJECT = Subject("2.0.0", 1, COMMIT)
NOW = "2025-11-10T14:00:00Z"
JANE = SignOff(
    "qa", "Jane Doe", "2025-11-10T09:00:00Z", "QA sign-off received", attempt=1, git_sha=COMMIT
)


def sign(ask: Ask, *known: SignOff) -> dict[str, SignOff]:
    return plan_sign_off({one.name: one for one in known}, WANTED, ask, SUBJECT, NOW)


def test_a_sign_off_tells_who_when_and_what_was_signed() -> None:
    assert sign(Ask("qa", "Jane Doe", "all flows")) == {
        "qa": replace(JANE, at=NOW, note="all flows")
    }


@pytest.mark.parametrize(
    ("ask", "error", "told"),
    [
        (Ask("qa", ""), InputError, "which is no name"),
        (Ask("qa", "  "), InputError, "which is no name"),
        (Ask("qa", "Nobody"), InputError, "which is no name"),
        (Ask("qa", "-"), InputError, "which is no name"),
        (Ask("quality", "Jane Doe"), InputError, "there are qa, product"),
        (Ask("qa", "Jane Doe", release="1.9.0"), ConflictError, "for release 1.9.0"),
    ],
    ids=["no name", "blanks", "nobody", "a dash", "unknown", "another release"],
)
def test_a_bad_sign_off_is_refused(ask: Ask, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        sign(ask)
    assert told in str(caught.value)


@pytest.mark.parametrize("release", ["2.0.0", "v2.0.0"])
def test_the_release_that_is_meant_may_be_named(release: str) -> None:
    assert sign(Ask("qa", "Jane Doe", release=release))


def test_the_same_person_signing_again_changes_nothing() -> None:
    assert sign(Ask("qa", "jane  DOE", "now with a note"), JANE) == {}


def test_another_person_signs_only_knowingly() -> None:
    with pytest.raises(ConflictError) as caught:
        sign(Ask("qa", "Joe Bloggs"), JANE)
    assert "Jane Doe signed 'qa' at 2025-11-10T09:00:00Z already" in str(caught.value)
    assert sign(Ask("qa", "Joe Bloggs", instead=True), JANE)["qa"].by == "Joe Bloggs"


@cases("old", {"other commit": {"git_sha": "b2" * 20}, "other attempt": {"attempt": 7}})
def test_one_that_does_not_count_is_in_nobodys_way(old: dict[str, t.Any]) -> None:
    assert sign(Ask("qa", "Joe Bloggs"), replace(JANE, **old))["qa"].by == "Joe Bloggs"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (JANE, ""),
        (None, "not signed yet: the QA lead signs it by playbooks/approve.yml"),
        (replace(JANE, git_sha="b2" * 20), "Jane Doe signed commit b2b2b2b2b2b2, and a1a1a1a1a1a1"),
        (replace(JANE, attempt=2), "Jane Doe signed attempt 2, and this is attempt 1"),
    ],
    ids=["signed", "missing", "other commit", "other attempt"],
)
def test_what_is_missing_says_whose_it_is_and_how(given: t.Any, told: str) -> None:
    found = missing_because(QA, given, SUBJECT)
    assert found.startswith(told)
    assert bool(found) is bool(told)


def test_sign_offs_that_come_with_a_run_are_names_or_dictionaries() -> None:
    given = {"qa": "Jane Doe", "product": {"by": "Joe", "note": "fine", "instead": True}}
    assert read_given(given) == [Ask("qa", "Jane Doe"), Ask("product", "Joe", "fine", instead=True)]
    with pytest.raises(InputError, match="has 'name'"):
        read_given({"qa": {"name": "Jane Doe"}})


def test_two_sign_offs_of_a_name_are_refused() -> None:
    entry = {"name": "qa", "what": "x", "of": "", "section": ""}
    with pytest.raises(InputError, match="share a name"):
        read_wanted([entry, entry])


def written(before: Record | None, **change: t.Any) -> Record:
    given = {"version": "2.0.0", "actor": "jane", "now": NOW, **change}
    return plan_record(before, RecordChange(**given))


def test_a_release_that_was_only_signed_begins_with_its_first_phase() -> None:
    signed = written(None, status=PLANNED, facts={"sign_offs": {"qa": JANE.to_json()}})
    assert (signed.status, signed.attempt, signed.finished) == (PLANNED, 1, "")
    begun = written(
        signed, phase="preflight", phase_status="running", actor="amina", now="2025-11-11T06:00:00Z"
    )
    assert (begun.status, begun.actor, begun.started) == (
        "running",
        "amina",
        "2025-11-11T06:00:00Z",
    )
    assert known_sign_offs(begun) == {"qa": JANE}


def test_what_is_signed_after_a_rollback_is_for_the_next_attempt_and_lives_into_it() -> None:
    first = written(None, phase="preflight", phase_status="running")
    first = written(
        first, facts={"sign_offs": dict.fromkeys(("qa", "product"), JANE.to_json()), "other": 1}
    )
    back = written(first, status="rolled_back")
    subject = subject_of(back, "2.0.0", COMMIT)
    assert subject.attempt == 2
    new = plan_sign_off(known_sign_offs(back), WANTED, Ask("qa", "Joe Bloggs"), subject, NOW)
    second = written(
        written(back, facts={"sign_offs": as_json(new)}), phase="preflight", phase_status="running"
    )
    assert second.attempt == 2
    joe = replace(JANE, by="Joe Bloggs", at=NOW, attempt=2)
    assert second.body["facts"] == {"sign_offs": as_json({"qa": joe})}
    assert subject_of(second, "2.0.0", COMMIT) == subject
