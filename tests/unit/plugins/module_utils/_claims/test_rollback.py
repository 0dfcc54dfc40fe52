"""What a rollback proved, and what its announcement may say of it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._claims.claims import (
    FLAGS,
    PODS,
    RETURNED,
    TESTS,
    VERSIONS,
    Claim,
    rollback_claims,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._rollback import verification

MENU, PAYMENT = "Webhook", "Payment integration"
Row = dict[str, t.Any]
PINS = {"agent-core": {"images": {"agent-core": "easymo/agent-core:v1.9.0"}}}
RUNS = [{"name": "agent-core", "images": {"agent-core": "easymo/agent-core:v1.9.0"}}]
OFF = {"consumers": {"agent-core": {"pods": [{}, {}, {}]}}}


def ran(**statuses: str) -> Row:
    names = {"menu": MENU, "payment": PAYMENT, "rate": "Error rate and response time"}
    return {
        "results": [
            {
                "name": names[key],
                "status": status,
                "detail": f"{key} seen",
                "kind": "metrics" if key == "rate" else "webhook",
            }
            for key, status in statuses.items()
        ]
    }


def states(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["name"]: row["status"] for row in rows}


def test_each_thing_is_verified_failed_or_not_looked_at() -> None:
    rows = verification(ran(menu="pass", payment="fail", rate="hold"), OFF, PINS, RUNS)
    assert states(rows) == {
        MENU: "verified",
        PAYMENT: "failed",
        "Error rate and response time": "not looked at",
        FLAGS: "verified",
        VERSIONS: "verified",
    }


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        ({"failed": True, "reason": "VerificationFailed", "msg": "a is on"}, "failed"),
        ({"failed": True, "reason": "Unreachable", "msg": "no API"}, "not looked at"),
        ({"skipped": True}, "not looked at"),
        ({}, "not looked at"),
    ],
)
def test_flags_that_nobody_saw_are_not_off(pods: Row, status: str) -> None:
    assert states(verification(ran(), pods))[FLAGS] == status


def test_a_pod_that_is_not_seen_is_named_and_is_nothing_that_users_do() -> None:
    lost = {"name": "pods", "status": "fail", "detail": "1 of 9 pods: a is not seen."}
    unseen = {"failed": True, "msg": "1 of 1 checks fail.", "results": [lost]}
    rows = verification(ran(menu="pass"), OFF, running=unseen)
    assert [one for one in rows if one["name"] == PODS] == [
        {"name": PODS, "status": "failed", "detail": lost["detail"], "kind": ""}
    ]
    claims = claims_in(rows)
    assert claims["state"].good is True
    assert claims["verified"].words == f"2 of 3; {PODS} failed (1 of 9 pods: a is not seen.)"
    returned = verification(ran(menu="pass"), OFF, returned=unseen)
    assert returned[1] == {**rows[1], "name": RETURNED}
    assert claims_in(returned)["state"].good is True
    silent = {"name": "queue", "status": "unknown", "detail": "There is no value."}
    told = {"failed": True, "results": [{"status": "pass", "detail": "9 pods ready"}, silent]}
    assert verification(ran(), OFF, returned=told)[-2] == {
        "name": RETURNED,
        "status": "not looked at",
        "detail": silent["detail"],
        "kind": "",
    }
    well = {"results": [{**lost, "status": "pass", "detail": "9 pods ready"}]}
    assert states(verification(ran(), OFF, running=well))[PODS] == "verified"


@pytest.mark.parametrize(
    ("pins", "deployments", "status"),
    [
        (PINS, [], "not looked at"),
        ({}, RUNS, "not looked at"),
        (PINS, [{**RUNS[0], "images": {"agent-core": "easymo/agent-core:v2.0.0"}}], "failed"),
    ],
)
def test_versions_are_compared_with_what_was_pinned(
    pins: Row, deployments: list[Row], status: str
) -> None:
    assert states(verification(ran(), OFF, pins, deployments))[VERSIONS] == status


def test_services_that_did_not_go_back_have_no_versions_to_compare() -> None:
    assert VERSIONS not in states(verification(ran(), OFF))


def test_tests_that_did_not_run_verify_nothing() -> None:
    rows = verification({"msg": "the library requests is missing", "failed": True}, OFF)
    assert states(rows) == {TESTS: "not looked at", FLAGS: "verified"}


def claims_in(rows: t.Any) -> dict[str, Claim]:
    return rollback_claims(
        Record.read({"facts": {"rollback_verified": rows}}).facts.rollback_verified
    )


def words(rows: t.Any) -> dict[str, str]:
    return {name: claim.words for name, claim in claims_in(rows).items()}


def test_when_all_is_verified_the_facts_own_words_stand() -> None:
    rows = verification(ran(menu="pass", payment="pass"), OFF, PINS, RUNS)
    assert words(rows) == {
        "state": "user flows work, 100 % of those tried",
        "impact": "no user has the feature; what users do was tried and works",
        "verified": "4 of 4",
        "users": "What users do was tried and works.",
    }
    assert all(claim.good for claim in claims_in(rows).values())


def test_what_failed_and_what_nobody_looked_at_is_said() -> None:
    rows = verification(ran(menu="pass", payment="fail"), {"results": [{"skipped": True}]})
    assert words(rows) == {
        "state": "what users do: Webhook verified, Payment integration failed (payment seen)",
        "impact": "the feature: Feature off in every pod not looked at (no pod was asked); Webhook verified, "
        "Payment integration failed (payment seen)",
        "verified": "1 of 3; Payment integration failed (payment seen), Feature off in every pod not looked at "
        "(no pod was asked)",
        "users": "Some of what users do does not work.",
    }
    assert {claim.good for claim in claims_in(rows).values()} == {False}


@pytest.mark.parametrize("rows", [None, [], "rubbish", [3]])
def test_a_rollback_without_a_look_claims_nothing(rows: t.Any) -> None:
    assert words(rows)["verified"] == "nothing was checked"
    assert words(rows)["users"] == ""
    assert {claim.good for claim in claims_in(rows).values()} == {None}


def test_a_release_without_flags_has_none_that_are_off() -> None:
    rows = verification(ran(menu="pass", rate="hold"), {"consumers": {}})
    assert FLAGS not in states(rows)
    assert words(rows)["impact"] == "what users do was tried and works"
    assert words(rows)["state"] == "user flows work, 100 % of those tried"


def test_where_only_metrics_were_read_nobody_tried_what_users_do() -> None:
    rows = verification(ran(rate="pass"), {"results": []})
    assert words(rows)["state"] == "what users do: Smoke tests not looked at"
