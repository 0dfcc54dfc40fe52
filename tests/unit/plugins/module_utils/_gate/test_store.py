"""A watch in the record of a release, over a cluster in memory: resumed, shared, decided, out of sight."""

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import decode
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    SampleStatus,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import judged_as
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import (
    Schedule,
    WatchState,
    begin,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.store import (
    ReleaseMemory,
    WatchStore,
    answers_awaited,
    record_answer,
    record_decision,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import WatchPlan
from ansible_collections.easymo.deploy.plugins.module_utils._identity import Demands, known_as
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    RecordedMetric as Recorded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.sections import (
    verdict_of,
)
from tests.fakes.cluster import MemoryCluster

STARTED = 1_700_000_000.0
METRIC = Metric("m", "prometheus", "q", "", Bounds(maximum=1))
PLAN = WatchPlan((METRIC,), Schedule(duration=100))


def record(**given: t.Any) -> dict[str, t.Any]:
    body = {
        "version": "2.0.0",
        "attempt": 1,
        "status": "running",
        "actor": "ann",
        "git_sha": "",
        "started": "2026-11-25T09:00:00Z",
        "notes": [],
        "previous_attempts": [],
        "phases": {},
        **given,
    }
    return {"metadata": {"name": "release-2.0.0"}, "data": {"record.json": json.dumps(body)}}


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.put("ConfigMap", record())
    return cluster


def memory(cluster: MemoryCluster, gate: str = "monitoring", now: float = 30.0) -> ReleaseMemory:
    return ReleaseMemory(
        cluster, "2.0.0", gate, report=lambda text: None, wall=lambda: STARTED + now
    )


def looked(value: float = 0.0, at: float = 10.0) -> WatchState:
    return begin([METRIC], STARTED).looked([METRIC], {"m": Sample(value)}, at)


def kept(cluster: MemoryCluster, gate: str = "monitoring") -> ReleaseMemory:
    writing = memory(cluster, gate)
    assert writing.recall(PLAN) is None
    writing.keep(looked())
    return writing


def test_another_process_goes_on_where_one_stopped(cluster):
    kept(cluster)
    assert {name: one.count for name, one in memory(cluster).recall(PLAN).series.items()} == {
        "m": 1
    }


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"attempt": 2}, id="another-attempt"),
        pytest.param({"metric": replace(METRIC, bounds=Bounds(maximum=2))}, id="other-bounds"),
        pytest.param({"metric": replace(METRIC, query="other")}, id="another-query"),
        pytest.param({"now": 500.0}, id="too-late"),
    ],
)
def test_what_is_another_watch_begins_anew(cluster, change):
    kept(cluster)
    if "attempt" in change:
        cluster.put("ConfigMap", record(attempt=2))
    plan = WatchPlan((change.get("metric", METRIC),), PLAN.schedule)
    assert memory(cluster, now=change.get("now", 30.0)).recall(plan) is None


@pytest.mark.parametrize(
    ("gate", "facts"), [("monitoring", {"alerts": {"looked": True}}), ("ramp", {})]
)
def test_alerts_go_to_the_record_from_the_watch_of_a_phase_alone(cluster, gate, facts):
    running = {
        "status": "running",
        "started": "2026-11-25T09:30:00Z",
        "finished": "",
        "evidence": {},
    }
    cluster.put("ConfigMap", record(phases={"monitoring": running}))
    watch = memory(cluster, gate)
    watch.recall(PLAN)
    watch.remember({"looked": True})
    stored = cluster.read("ConfigMap", "release-2.0.0")["data"]["record.json"]
    assert json.loads(stored).get("facts", {}) == facts


def test_two_gates_of_a_release_leave_each_other_alone(cluster):
    first, second = kept(cluster), kept(cluster, "ramp")
    first.keep(looked(at=20.0))
    second.keep(looked(at=20.0))
    assert [memory(cluster, gate).recall(PLAN) is not None for gate in ("monitoring", "ramp")] == [
        True
    ] * 2


def test_two_runs_of_one_gate_are_told_of_each_other(cluster):
    first = kept(cluster)
    second = memory(cluster)
    second.recall(PLAN)
    second.keep(looked(at=20.0))
    with pytest.raises(ConflictError, match="Another run watches 'monitoring'"):
        first.keep(looked(at=20.0))


def test_nothing_stands_between_a_breach_and_the_way_back(cluster):
    first = kept(cluster)
    second = memory(cluster)
    second.recall(PLAN)
    second.keep(looked(at=20.0))
    first.keep(replace(looked(at=20.0), ended="rollback"))


def test_a_write_whose_answer_was_lost_is_our_own(cluster):
    writing = kept(cluster)
    version = writing._shelf.file.version
    writing.keep(looked(at=20.0))
    writing._shelf.file.version = version
    writing.keep(looked(at=30.0))
    assert memory(cluster).recall(PLAN).series["m"].count == 1


def test_a_cluster_out_of_sight_ends_no_watch(cluster):
    writing = kept(cluster)
    cluster.out_of_sight = True
    writing.keep(looked(at=20.0))
    assert writing.lost == 1
    assert writing.decision_on(looked()) is None
    cluster.out_of_sight = False
    writing.keep(looked(at=30.0))
    assert writing.lost == 1


def test_a_run_over_a_finished_phase_writes_nothing_until_it_holds(cluster):
    done = {"status": "done", "started": "t", "finished": "t", "evidence": {}}
    cluster.put("ConfigMap", record(phases={"monitoring": done}))
    writing = kept(cluster)
    writing.keep(replace(looked(), ended="proceed"))
    assert cluster.writes == []
    writing.keep(replace(looked(), held=10.0))
    assert cluster.writes == ["create ConfigMap"]


@pytest.mark.parametrize(("status", "goes_on"), [("running", True), ("done", False)])
def test_a_watch_that_ended_goes_on_only_where_its_phase_was_not_closed(cluster, status, goes_on):
    started = {"status": "running", "started": "t", "finished": "", "evidence": {}}
    cluster.put("ConfigMap", record(phases={"monitoring": started}))
    kept(cluster).keep(replace(looked(), ended="proceed"))
    cluster.put("ConfigMap", record(phases={"monitoring": {**started, "status": status}}))
    assert (memory(cluster).recall(PLAN) is not None) is goes_on


def test_a_decision_of_this_watch_is_heard(cluster):
    writing = kept(cluster)
    state = replace(looked(), held=10.0)
    evidence = {"attempt": 1, "watch": state.began_at, "held": state.held_at, "reasons": []}
    words = {"gate": "monitoring", "decision": "approve", "by": "ann", "reason": "r", "at": "t"}
    facts = {"decisions": {"monitoring-t": {**words, "evidence": evidence}}}
    assert writing.decision_on(state) is None
    cluster.put("ConfigMap", record(facts=facts))
    assert writing.decision_on(state).by == "ann"
    cluster.put("ConfigMap", record(facts=facts, attempt=2))
    assert writing.decision_on(state) is None


COMPARED = {
    "after": 0.8,
    "before": 0.4,
    "p": 0.001,
    "problem": "",
    "values_after": 20,
    "values_before": 360,
    "worse": 2,
}
OLD_WATCH = """
{"attempt": 1, "compared": {"m": {"after": 0.8, "before": 0.4, "p": 0.001, "problem": "", "values_after": 20,
"values_before": 360, "worse": 2}}, "compared_at": {"m": 10.0}, "definition": "x", "elapsed": 10.0, "ended": "",
"gaps": [], "good_since": null, "guards_until": null, "held": null, "held_why": [], "phase_started": "", "series": {"m":
{"breaches": 0, "breaches_in_all": 0, "count": 1, "errors": 0, "hard": null, "last": {"error": false, "problem": "",
"value": 0.5}, "mark": "good", "maximum": 0.5, "minimum": 0.5, "missing": 0, "points": [[10.0, 0.5]], "total": 0.5,
"value": 0.5, "worst_errors": 0}}, "started": 1700000000.0}
"""
"""As a version kept it that compared with the hour before and had more limits."""


def test_a_watch_and_a_metric_of_a_version_before_are_still_read(cluster):
    kept(cluster)
    shelf = memory(cluster)._shelf
    entry = {"writer": "w", "state": json.loads(OLD_WATCH)}
    shelf.read()
    shelf.file.write(1, json.dumps({"monitoring": entry}).encode())
    other = WatchStore(shelf.file.store)
    other.read()
    state = other.state("monitoring")
    series = state.series["m"]
    assert (state.attempt, series.count, series.last, series.status) == (
        1,
        1,
        Sample(0.5),
        SampleStatus.GOOD,
    )
    assert memory(cluster).recall(PLAN) is None
    old = {
        "name": "m",
        "last": 0.5,
        "verdict": "hold",
        "mark": "good",
        "points": [[10.0, 0.5]],
        "pass": {"min": None, "max": 1},
        "rollback": {"below": None, "above": None},
        "hard_limit": {"below": None, "above": 9},
        "baseline": COMPARED,
    }
    read = decode(Recorded, {"name": "m", **old}, "m", [])
    assert judged_as(read) == "good"
    assert verdict_of(read).text == "hold"


@pytest.mark.parametrize(
    ("approvers", "counted"),
    [([], True), (["system:x"], False), ([MemoryCluster().account()], True)],
)
def test_an_approval_by_whom_the_release_does_not_want_lets_nothing_go(cluster, approvers, counted):
    """Also where somebody wrote it without asking us."""
    told: list[str] = []
    writing = kept(cluster)
    state = replace(looked(), held=5.0)
    writing.keep(state)
    act = Act(gate="monitoring", decision="approve", by="Eve", reason="why not", at="now")
    act = replace(act, known_as=known_as(cluster))
    record_decision(cluster, "2.0.0", act, check_mode=False)
    demands = Demands.read({"verified": "cluster", "approvers": approvers})
    watching = replace(memory(cluster), demands=demands, report=told.append)
    watching.recall(PLAN)
    found = watching.decision_on(replace(state, **watching._stamp))
    assert (found is not None) is counted
    assert any("the approval of Eve does not count" in text for text in told) is not counted


ANSWER = {
    "question": "tickets",
    "questions": ["tickets"],
    "answer": "minor",
    "by": "Ann Other",
    "reason": "the menu is slow",
    "gate": "ramp",
}


def test_an_answer_is_kept_with_its_watch_and_a_rehearsal_keeps_none(cluster):
    before = cluster.objects["ConfigMap", "release-2.0.0"]
    told = record_answer(cluster, "2.0.0", ANSWER, check_mode=True)["sentence"]
    assert told.startswith("Ann Other would say of release 2.0.0: tickets is minor. It counts at")
    assert cluster.objects["ConfigMap", "release-2.0.0"] == before
    answer = record_answer(cluster, "2.0.0", ANSWER, check_mode=False)
    after = json.loads(cluster.objects["ConfigMap", "release-2.0.0"]["data"]["record.json"])
    assert list(after["facts"]["feedback"].values()) == [answer["answer"]]
    assert answer["answer"].items() >= {
        ("answer", "minor"),
        ("note", "the menu is slow"),
        ("gate", "ramp"),
    }


def test_a_bad_answer_rejects_the_watch_of_phase_7_where_it_goes_on(cluster):
    bad = {**ANSWER, "answer": "bad", "gate": "monitoring"}
    assert "decision" not in record_answer(cluster, "2.0.0", bad, check_mode=False)
    kept(cluster)
    rejected = record_answer(cluster, "2.0.0", bad, check_mode=False)
    assert rejected["decision"]["decision"] == "reject"
    assert "rejected the watch 'monitoring'" in rejected["sentence"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"question": "other"}, "no question 'other'.*one of tickets"),
        ({"by": "NAME"}, "'by' is 'NAME', which is no name"),
        ({"reason": " "}, "'reason' is '', which gives no reason"),
    ],
)
def test_an_answer_without_question_name_or_reason_is_refused(cluster, given, why):
    with pytest.raises(InputError, match=why):
        record_answer(cluster, "2.0.0", {**ANSWER, **given}, check_mode=False)


def tried(verdict: str, watched: str) -> dict[str, t.Any]:
    evidence = {
        "verdict": verdict,
        "feedback": {"watched": watched, "since": "2026-11-25T09:00:00Z"},
        "sensitivity": "twice as many",
    }
    failed = {"started": "", "finished": "", "evidence": evidence}
    running = {"status": "running", "started": "2026-11-25T10:00:00Z", "earlier_failures": [failed]}
    return {"monitoring": running}


@pytest.mark.parametrize(
    ("phases", "gate", "waits"),
    [
        (tried("hold", "proceed"), "monitoring", True),
        (tried("hold", "proceed"), "sign_off", False),
        (tried("hold", "hold"), "monitoring", False),
        (tried("rollback", "proceed"), "monitoring", False),
        ({"monitoring": {"status": "running", "started": ""}}, "monitoring", False),
    ],
)
def test_a_watch_waits_for_answers_alone_where_its_metrics_were_good(cluster, phases, gate, waits):
    cluster.put("ConfigMap", record(phases=phases))
    awaited, since = answers_awaited(cluster, "2.0.0", gate)
    assert (awaited is not None) is waits
    assert since == ("2026-11-25T09:00:00Z" if waits else "")
    assert not awaited or awaited.sensitivity == "twice as many"


def test_an_answer_to_an_interrupted_run_counts(cluster):
    """It asked, and ended before the record had what it waits for."""
    begun = "2026-11-25T10:00:00Z"
    taken_up = {"status": "running", "started": begun, "interruptions": [{"at": begun}]}
    cluster.put("ConfigMap", record(phases={"monitoring": taken_up}))
    assert answers_awaited(cluster, "2.0.0", "monitoring") == (None, begun)
