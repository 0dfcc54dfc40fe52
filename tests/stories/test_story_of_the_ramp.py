"""One percent, five, a gate that holds and is released, ten, and a breach.

Before the last, users who have the feature fail three times as often.

The tests are the chapters of one story and stand in its order. Prometheus is asked for numbers that the chapters
choose, but in the last one, where a crowd writes.
"""

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import yaml

from sandbox.names import NAMESPACE
from tests.crowd import Crowd
from tests.fakes.prometheus import prometheus
from tests.stories.people import ROOT, Operator, Run, Witness
from tests.stories.ramp import begin_release, pods, ramp_of, runs_with, words
from tests.waiting import until

NUMBERS = [f"2507{index:08d}" for index in range(200)]
GOOD, UNSURE = 0.0, 0.02
DAYS = {1: 1, 2: 5, 3: 10, 4: 25, 7: 50, 8: 75, 9: 90, 10: 100}
STEPS = [
    {
        "day": day,
        "percentage": percentage,
        "users": 100 * percentage,
        **({"must_detect": 3} if percentage == 10 else {}),
    }
    for day, percentage in DAYS.items()
]
"""As they are shipped, but that the watch of 10 % must be able to see three times as many failing users."""
COHORTS = {
    "name": "failing_users",
    "treated": {"seen": "treated_seen", "failed": "treated_failed"},
    "control": {"seen": "control_seen", "failed": "control_failed"},
}
COUNTED = {
    "treated_seen": 20_000,
    "treated_failed": 200,
    "control_seen": 180_000,
    "control_failed": 1_800,
}
"""By the second look: one user of a hundred fails, with the feature or without."""
SHIPPED = {
    one["name"]: one
    for one in yaml.safe_load((ROOT / "inventories/shared/metrics.yml").read_text("utf-8"))[
        "release_metrics"
    ]
}
# The bound that it ships with. To be good below a fifth of that, five times as many users would have to write.
ERROR_RATE = {**SHIPPED["error_rate"], "pass": {"max": 0.05}}
FAILING_USERS = SHIPPED["failing_users"]


def complaints(
    value: float, metrics: t.Sequence[dict[str, t.Any]] = (), **variables: t.Any
) -> list[str]:
    metric = {
        "name": "complaints",
        "query": f"vector({value})",
        "pass": {"max": 0.01},
        "rollback": {"above": 0.05},
    }
    quick = {
        "release_metrics": [metric, *metrics],
        "release_compare_cohorts": True,
        "release_watch_interval": 1,
        "release_watch_delay": 0,
        "release_ramp_watch_duration": 1,
    }
    return ["-e", json.dumps({**quick, **variables})]


def ramps(operator: Operator, value: float, *arguments: str, **variables: t.Any) -> Run:
    return operator.plays("ramp", *complaints(value, **variables), *arguments)


def said_in_slack(witness: Witness) -> str:
    channels = witness.received()["slack"].values()
    return "\n".join(" ".join(one["text"].split()) for channel in channels for one in channel)


def answered_by_agents(witness: Witness) -> set[str]:
    """The users of a sample whom the platform sends to an agent."""
    address = f"http://{pods(witness)[0]['status']['podIP']}:8080/messages"

    def ask(number: str) -> bool:
        # Of an agent that is switched off, so that none is kept busy: it is in the rollout who is sent there.
        message = {"from": number, "message_id": f"wamid.{number}", "text": "a house to rent"}
        reason: str = requests.post(address, json=message, timeout=10).json()["reason"]
        assert reason in ("fallback_disabled", "not_in_rollout")
        return reason == "fallback_disabled"

    with ThreadPoolExecutor(8) as pool:
        return {n for n, found in zip(NUMBERS, pool.map(ask, NUMBERS), strict=True) if found}


@pytest.fixture(scope="module")
def users_at_five(witness) -> set[str]:
    return answered_by_agents(witness)


@pytest.fixture(scope="module", autouse=True)
def release(witness) -> None:
    begin_release(witness)


def test_what_is_neither_good_nor_bad_holds_the_step(operator, witness):
    said = {"support_tickets": {"answer": "minor", "by": "joe", "note": "the menu is slow"}}
    run = ramps(operator, UNSURE, user_feedback_answers=said)
    assert run.rc != 0
    assert "5 % is held: complaints is 0.02 and should be at most 0.01" in words(run)
    assert "support_tickets: joe said minor at " in words(run)
    assert runs_with(witness) == {"5"}
    state = ramp_of(witness)
    assert (
        state["verdict"],
        [one["to"] for one in state["history"] if one["what"] == "raised"],
    ) == ("hold", [5])


@pytest.mark.usefixtures("users_at_five")
def test_a_held_gate_lets_nobody_in_until_a_person_says_so(operator, witness):
    said = ["-e", "ramp_release=true", "-e", "reason='a marketing mail'", "-e", "by=ann"]
    # A real one's answers to the four questions of a look are of four instants.
    with prometheus() as answers:
        answers.says(f"vector({GOOD})", GOOD)
        for query, counted in COUNTED.items():
            answers.says(query, 0, counted)
        run = ramps(
            operator,
            GOOD,
            *said,
            metrics=[COHORTS],
            release_ramp=STEPS,
            prometheus_url=answers.url,
        )
    assert run.rc == 0, run.tail()
    assert runs_with(witness) == {"10"}
    record = witness.record("2.0.0")
    (watch,) = (
        one for name, one in record["facts"]["ramp_watches"].items() if name.startswith("10 %")
    )
    assert watch["samples"][1]["comparison"]["share"] == 0.1
    assert record["facts"]["ramp"]["percentage"] == 10
    told = [one for one in record["facts"]["ramp"]["history"] if one["what"] == "released"]
    assert [(one["by"], one["reason"]) for one in told] == [("ann", "a marketing mail")]
    news = said_in_slack(witness)
    assert not [one for one in news.splitlines() if "rollout:" in one and "<!channel>" in one]
    assert "5 % is held" in news
    assert "and is good. failing_users could have seen" in news
    assert "Up from 5 %, step 2 of 8 to 10 %, step 3 of 8, about 1000 users" in news


def test_going_up_only_added_users(witness, users_at_five):
    users = answered_by_agents(witness)
    assert users_at_five < users
    assert len(users) < 50


def test_down_needs_neither_lock_nor_gate(operator, witness, users_at_five):
    spec = {"holderIdentity": "zoe", "leaseDurationSeconds": 3600, "leaseTransitions": 99}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
    lease["metadata"] = {"name": "easymo-deploy"}
    witness.kubectl("apply", "-f", "-", stdin=json.dumps(lease))
    down = ramps(operator, GOOD, "-e", "ramp_percentage=5", "-e", "reason='complaints'")
    assert down.rc == 0, down.tail()
    assert runs_with(witness) == {"5"}
    assert answered_by_agents(witness) == users_at_five
    witness.kubectl("delete", "lease", "easymo-deploy")


@pytest.fixture(scope="module")
def crowd(world) -> Crowd:
    return Crowd(world, rate=200, percentage=5)


def fails(operator: Operator, percent: float, treated: float) -> None:
    given = (f"percent={percent:g}", f"treated={treated:g}")
    assert operator.sandbox("fault", "set", "node.users-fail", "agent-core", *given).rc == 0


def watch_at_five(witness: Witness) -> tuple[str, dict[str, t.Any]]:
    """The verdict of the last watch at 5 %, and its metrics by name."""
    watches = witness.record("2.0.0")["facts"]["ramp_watches"]
    last = watches[max(name for name in watches if name.startswith("5 %"))]
    return last["verdict"], {one["name"]: one for one in last["samples"]}


def scrapes(witness: Witness) -> list[float]:
    """How many samples Prometheus has of each pod of agent-core."""
    names = [pod["metadata"]["name"] for pod in pods(witness)]
    series = 'users_seen_total{cohort="treated",pod="%s"}'
    return [witness.measured(f"sum(count_over_time({series % name}[1h]))") for name in names]


def judged(witness: Witness) -> bool:
    """Whether the shipped error rate has the requests that it needs, and shows the crowd's."""
    shown = [SHIPPED["error_rate"]["query"], SHIPPED["error_rate"]["volume"]["query"]]
    rate, requests_seen = (
        witness.measured(query.replace("{{ kubernetes_namespace }}", NAMESPACE)) for query in shown
    )
    return rate > 0.03 and requests_seen >= 20


def test_the_comparison_steps_down_and_says_who_is_to_blame_and_by_how_much(
    operator, witness, crowd
):
    """Its bounds alone let pass what three times as many users of an agent as of the menu suffer."""
    fails(operator, 3.3, treated=9.9)
    # Nobody remembers whether the step was good: the same one is watched once more.
    witness.kubectl("annotate", "configmap", "feature-flags", "easymo.com/ramp-")
    metrics = [ERROR_RATE, FAILING_USERS]
    # A rate is known of a pod that was scraped twice, and is due to the crowd alone if that was before it wrote.
    until(lambda: min(scrapes(witness)) >= 2)
    with crowd.writing():
        until(lambda: judged(witness))
        run = ramps(operator, GOOD, metrics=metrics, release_ramp_watch_duration=900)
    assert run.rc != 0
    assert "5 % went back to 1 %, for failing_users: treated users failed " in words(run)
    assert "times as often as the control (" in words(run)
    verdict, seen = watch_at_five(witness)
    assert verdict == "rollback"
    assert seen["error_rate"]["verdict"] == "proceed"
    assert seen["error_rate"]["max"] > 0.03
    compared = seen["failing_users"]["comparison"]
    # Users and failures are counted at two instants: a few users more or less, among those who failed.
    blurred = 0.15 + 3 / compared["treated"]["failed"]
    assert compared["ratio"] == pytest.approx(3, rel=blurred), compared
    assert compared["share"] == pytest.approx(0.05, abs=0.01)
    assert compared["evidence"] >= compared["needed"] == 100
    assert runs_with(witness) == {"1"}
    told = [one["what"] for one in ramp_of(witness)["history"]]
    assert told[-1] == "breached"
