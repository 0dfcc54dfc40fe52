"""A watch that proceeds, one that holds on missing data and is approved, and one that goes back.

And one that users are asked about: nobody answers, bad, good.

The tests are the chapters of one story and stand in its order. Prometheus says what the chapters choose.
"""

import json
import typing as t

import pytest

from sandbox.world import World
from tests.fakes.prometheus import FakePrometheus, prometheus
from tests.stories.people import Operator, Run, Witness

PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
GOOD, BAD = 0.0, 0.2
EARLIER = (
    "preflight",
    "database",
    "edge_functions",
    "microservices",
    "feature_flags",
    "smoke_tests",
)
WAIVED = {name: {"by": "Jane Doe", "reason": "only the watch"} for name in EARLIER}


@pytest.fixture(scope="module")
def complaints() -> t.Iterator[FakePrometheus]:
    with prometheus() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def release(witness) -> None:
    """Agents at one percent, as the phases before leave them."""
    flags = {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "1"}
    patch = ("patch", "configmap", "feature-flags", "--type=merge", "-p")
    witness.kubectl(*patch, json.dumps({"data": flags}))
    witness.kubectl("rollout", "restart", "deployment/agent-core")
    witness.kubectl("rollout", "status", "deployment/agent-core", "--timeout=60s")


def prometheus_of(world: World) -> str:
    return world.facts("prometheus")["url"]


def alerts(names: str) -> dict[str, t.Any]:
    given = {"name": "alerts", "kind": "alerts", "query": names, "pass": {"max": 0}}
    return {**given, "window": 1, "breaches": 1}


COMPLAINTS = {
    "name": "complaints",
    "query": "complaints",
    "pass": {"max": 0.01},
    "rollback": {"above": 0.05},
}


def watching(url: str, **variables: t.Any) -> list[str]:
    given = {
        "prometheus_url": url,
        "release_metrics": [COMPLAINTS],
        "release_compare_cohorts": True,
        "release_watch_interval": 1,
        "release_watch_delay": 0,
        "release_watch_duration": 3,
        "release_hold_for": 0,
        "release_phases_waived": WAIVED,
    }
    return ["-e", json.dumps({**given, **variables})]


def watches(operator: Operator, server: FakePrometheus, **variables: t.Any) -> Run:
    return operator.plays("monitoring", *watching(server.url, **variables))


def decides(operator: Operator, decision: str, by: str, reason: str) -> Run:
    said = json.dumps({"decision": decision, "by": by, "reason": reason})
    return operator.plays("decide", "-e", said)


def answers(operator: Operator, question: str, answer: str, by: str, reason: str) -> Run:
    said = {"feedback": question, "answer": answer, "by": by, "reason": reason}
    return operator.plays("decide", "-e", json.dumps(said))


def words(run: Run) -> str:
    return " ".join(run.output.split())


def phase(witness: Witness) -> t.Any:
    return witness.record("2.0.0")["phases"]["monitoring"]


def next_attempt(witness: Witness) -> None:
    """As after a rollback: a phase that is done would stay done."""
    record = {**witness.record("2.0.0"), "attempt": 2, "status": "running", "phases": {}}
    data = {"data": {"record.json": json.dumps(record)}}
    witness.kubectl("patch", "configmap", "release-2.0.0", "--type=merge", "-p", json.dumps(data))


def watches_what_is_held(operator: Operator, world: World) -> Run:
    rate = {"name": "error_rate", "query": "vector(0)", "pass": {"max": 0.01}}
    unheard = {**rate, "volume": {"query": "vector(3)", "at_least": 20}}
    metrics = [COMPLAINTS, unheard, alerts("Held")]
    return operator.plays("monitoring", *watching(prometheus_of(world), release_metrics=metrics))


def test_no_data_a_good_rate_without_traffic_and_an_alert_that_fires_hold_and_say_how_to_decide(
    operator, witness, world, fire
):
    fire(Held=("hold", True))
    run = watches_what_is_held(operator, world)
    assert run.rc != 0
    assert "points" not in run.output
    assert "Phase monitoring is on hold on localhost in " in words(run)
    assert "complaints has no data (no series)" in words(run)
    assert "3 requests of 20 needed" in words(run)
    assert "Held (service=s) since 20" in words(run)
    assert "playbooks/decide.yml -e decision=approve" in words(run)
    assert witness.flags()[PERCENTAGE] == "1"
    seen = phase(witness)
    assert seen["status"] == "failed"
    assert seen["evidence"]["failures"]["localhost"]["reason"] == "Hold"
    metric = {one["name"]: one for one in seen["evidence"]["metrics"]}["complaints"]
    assert (metric["verdict"], metric["count"], metric["last"]) == ("hold", 0, None)
    assert {(value, status) for _at, value, status in metric["points"]} == {(None, "missing")}


def test_whoever_decides_has_a_name_and_a_reason(operator, witness):
    before = witness.record("2.0.0")
    nobody = decides(operator, "approve", "", "seen")
    assert nobody.rc != 0
    assert "which is no name" in words(nobody)
    assert witness.record("2.0.0") == before
    approved = decides(operator, "approve", "ann", "Prometheus is being moved")
    assert approved.rc == 0, approved.tail()
    assert sum(approved.changed().values()) == 1


def test_what_a_person_approved_proceeds_and_the_record_says_who(operator, witness, world, fire):
    # Without the alert there would be another reason, which nobody approved.
    fire(Held=("hold", True))
    run = watches_what_is_held(operator, world)
    assert run.rc == 0, run.tail()
    seen = phase(witness)
    decision = seen["evidence"]["decision"]
    assert (seen["status"], seen["evidence"]["verdict"]) == ("done", "proceed")
    assert (decision["by"], decision["reason"]) == ("ann", "Prometheus is being moved")
    (known,) = witness.record("2.0.0")["facts"]["decisions"].values()
    assert any("no data (no series)" in one for one in known["evidence"]["reasons"])


def test_a_breach_switches_the_feature_off(operator, witness, complaints):
    next_attempt(witness)
    complaints.says("complaints", GOOD, GOOD, BAD)
    run = watches(operator, complaints, release_watch_duration=3600)
    assert run.rc != 0
    assert "complaints was above 0.05 2 times in a row (last 0.2)" in words(run)
    assert set(witness.environments("agent-core", PERCENTAGE).values()) == {"0"}
    assert witness.flags()["FEATURE_AI_AGENTS"] == "false"
    seen = phase(witness)["evidence"]
    (metric,) = seen["metrics"]
    assert (metric["max"], metric["verdict"]) == (BAD, "rollback")


COHORTS = {
    "name": "failing_users",
    "treated": {"seen": "treated seen", "failed": "treated failed"},
    "control": {"seen": "control seen", "failed": "control failed"},
}


def test_good_metrics_hold_until_somebody_answers_for_the_users(operator, witness, complaints):
    complaints.says("complaints", GOOD)
    for cohort, users in (("treated", 50), ("control", 4950)):
        complaints.says(f"{cohort} seen", 0, 100 * users)
        complaints.says(f"{cohort} failed", 0, users)
    metrics = [COMPLAINTS, COHORTS]
    run = watches(operator, complaints, user_feedback_answers={}, release_metrics=metrics)
    assert run.rc != 0
    assert "Phase monitoring is on hold on localhost in " in words(run)
    assert "critical_issues: no answer came (asked of the engineer on call)" in words(run)
    assert "playbooks/decide.yml -e feedback=user_feedback -e answer=good" in words(run)
    seen = phase(witness)["evidence"]
    assert (seen["verdict"], seen["feedback"]["watched"]) == ("hold", "proceed")
    assert seen["metrics"][0]["count"] >= 3
    assert "failing_users could have seen" in seen["sensitivity"]


def test_a_bad_answer_goes_back_without_another_hour_of_watching(operator, witness, complaints):
    nobody = answers(operator, "critical_issues", "bad", "", "payments are lost")
    assert nobody.rc != 0
    assert "'by' is '', which is no name" in words(nobody)
    said = answers(operator, "critical_issues", "bad", "eve", "payments are lost")
    assert said.rc == 0, said.tail()
    (kept_answer,) = witness.record("2.0.0")["facts"]["feedback"].values()
    assert (kept_answer["answer"], kept_answer["by"]) == ("bad", "eve")
    metrics = [COMPLAINTS, COHORTS]
    run = watches(operator, complaints, release_watch_duration=3600, release_metrics=metrics)
    assert run.rc != 0
    assert "critical_issues: eve said bad at " in words(run)
    assert "payments are lost" in words(run)
    assert "Phase monitoring failed on localhost" in words(run)
    seen = phase(witness)["evidence"]
    assert (seen["verdict"], seen["reasons"][0]["metric"]) == ("rollback", "critical_issues")
    assert [one["count"] for one in seen["metrics"]] == [1]
    assert "failing_users could have seen" in seen["sensitivity"]


def test_good_metrics_and_good_answers_proceed_by_themselves(operator, witness, complaints):
    complaints.says("complaints", GOOD)
    run = watches(operator, complaints)
    assert run.rc == 0, run.tail()
    seen = phase(witness)
    assert [(one["answer"], one["by"]) for one in seen["evidence"]["feedback"]["answers"]] == [
        ("good", "Rehearser of the sandbox")
    ] * 3
    assert (seen["status"], seen["evidence"]["verdict"]) == ("done", "proceed")
    assert seen["evidence"]["decision"] == {}
    assert seen["evidence"]["metrics"][0]["count"] >= 3


def signs_off(operator: Operator, world: World, names: str) -> Run:
    given = {"release_metrics": [alerts(names)]}
    return operator.plays("sign_off", *watching(prometheus_of(world), **given))


def test_an_alert_that_fires_before_the_sign_off_holds_it_and_nothing_is_announced(
    operator, world, witness, fire
):
    told = witness.received()["mail"]
    fire(Held=("hold", True), Back=("rollback", False))
    run = signs_off(operator, world, "Held|Back")
    assert run.rc != 0
    assert "Phase sign_off is on hold" in words(run)
    assert "Held (service=s) since 20" in words(run)
    record = witness.record("2.0.0")
    assert (record["phases"]["sign_off"]["status"], record["status"]) == ("failed", "failed")
    assert witness.received()["mail"] == told


def test_one_whose_rule_says_so_switches_the_feature_off_before_the_sign_off(
    operator, world, witness, fire
):
    flags = {"FEATURE_AI_AGENTS": "true", PERCENTAGE: "1"}
    witness.kubectl(
        "patch", "configmap", "feature-flags", "--type=merge", "-p", json.dumps({"data": flags})
    )
    fire(Back=("rollback", True))
    run = signs_off(operator, world, "Back")
    assert run.rc != 0
    assert "Phase sign_off failed on localhost" in words(run)
    assert "The feature is switched off in every pod." in words(run)
    assert set(witness.environments("agent-core", PERCENTAGE).values()) == {"0"}
    assert witness.flags()["FEATURE_AI_AGENTS"] == "false"
