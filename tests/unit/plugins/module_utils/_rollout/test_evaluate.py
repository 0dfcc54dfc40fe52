"""Verdicts over what a real control plane said, event by event (tests/unit/fixtures/timelines)."""

import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.evaluate import (
    CONTROLLER_SILENCE,
    REPAIRED,
    Evaluation,
    Replacement,
    RolloutProgress,
    RolloutSnapshot,
    evaluate,
    shorten,
    start_course,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    LOOKS_APART,
    Sign,
    Suspicion,
    rule_for,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Condition,
    Deployment,
    Pod,
    PodTemplate,
    ReplicaCounts,
    ReplicaSet,
    StateDetail,
    current_replica_set,
)

TIMELINES = Path(__file__).parents[3] / "fixtures" / "timelines"


def snapshots(name: str) -> t.Iterator[tuple[float, RolloutSnapshot]]:
    """What would be deployment after each event of a recording."""
    deployment: Deployment | None = None
    replica_sets: dict[str, ReplicaSet] = {}
    pods: dict[str, Pod] = {}
    for line in (TIMELINES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        body = event["object"]
        uid = body["metadata"]["uid"]
        if body["kind"] == "Deployment":
            deployment = Deployment.from_json(body)
        elif body["kind"] == "ReplicaSet":
            replica_sets[uid] = ReplicaSet.from_json(body)
        elif event["type"] == "DELETED":
            pods.pop(uid, None)
        else:
            pods[uid] = Pod.from_json(body)
        if deployment is None:
            continue
        newest = current_replica_set(deployment, replica_sets.values())
        mine = tuple(pod for pod in pods.values() if newest and pod.owner == newest.uid)
        yield event["after_s"], RolloutSnapshot(deployment, newest, mine)


def replay(
    name: str, *, deadline: float | None = None, **settings: t.Any
) -> list[tuple[float, str, Evaluation]]:
    """Each look's time, counts and verdict, up to the first that is not `waiting`.

    `deadline`: its progressDeadlineSeconds, which no recording has.
    """
    progress: RolloutProgress | None = None
    verdicts = []
    for now, snapshot in snapshots(name):
        assert snapshot.deployment is not None
        if deadline is not None:
            timed = replace(snapshot.deployment, progress_deadline=deadline)
            snapshot = replace(snapshot, deployment=timed)
        if progress is None:
            progress = start_course(snapshot.deployment, snapshot.deployment, "wallet-service", now)
            progress = replace(progress, **settings)
        progress, verdict = evaluate(progress, snapshot, now)
        verdicts.append((now, str(snapshot.deployment.counts), verdict))
        if verdict.outcome != "waiting":
            break
    return verdicts


def test_a_green_rollout_is_complete_at_its_end_and_never_before():
    verdicts = replay("green")
    now, counts, verdict = verdicts[-1]
    assert verdict.outcome == "complete"
    assert (now, counts) == (2.64, "3 of 3 updated, 3 available")
    assert {verdict.outcome for _now, _counts, verdict in verdicts[:-1]} == {"waiting"}


def test_a_crash_loop_is_called_long_before_its_deadline():
    now, _counts, verdict = replay("crash", quorum="any")[-1]
    assert (verdict.outcome, verdict.reason) == ("failing", "CrashLoop")
    assert verdict.sentence == "container wallet-service crashed 2 times (exit code 1)"
    assert now == 5.13  # the deadline passed at 9.53


def test_before_a_lone_pod_dooms_it_is_replaced_once():
    replaced = [
        (now, verdict.replace) for now, _counts, verdict in replay("crash") if verdict.replace
    ]
    assert [now for now, _pod in replaced] == [5.13]


def test_a_lone_crash_loop_is_called_at_the_first_crash_of_the_fresh_pod():
    """Two crashes here, a fresh pod there: its first crash, and not its second, is the end."""
    *_others, (began, last) = snapshots("crash")
    assert last.deployment is not None
    assert last.pods

    def pod(uid: str, node: str, crashes: int, state: str) -> Pod:
        status = last.pods[0].main_containers[0]
        status = replace(status, restarts=crashes, state={state: StateDetail()})
        return replace(last.pods[0], name=uid, uid=uid, node=node, main_containers=(status,))

    progress = replace(course_of(last.deployment), started=began, patched=began)
    changes = []
    for after, pods in [
        (0.0, (pod("a", "n1", 1, "running"),)),
        (0.5, (pod("a", "n1", 2, "running"),)),
        (0.6, ()),
        (1.0, (pod("b", "n2", 0, "running"),)),
        (1.5, (pod("b", "n2", 0, "terminated"),)),
    ]:
        snapshot = replace(last, pods=pods, nodes=frozenset({"n1", "n2"}))
        progress, verdict = evaluate(progress, snapshot, began + after)
        changes.append((after, verdict.reason or verdict.replace))
    assert changes == [(0.0, ""), (0.5, "a"), (0.6, ""), (1.0, ""), (1.5, "CrashLoop")]


def refused(deployment: Deployment, updated: str = "10:00") -> Deployment:
    refusal = Condition("Progressing", "False", "ReplicaSetCreateError", "exceeded quota", updated)
    return replace(deployment, conditions=(refusal,), generation=9, observed_generation=8)


def test_a_replica_set_that_cannot_be_made_dooms_after_a_minute_and_is_no_silence(deployment):
    progress = replace(course_of(deployment), generation=9)
    for now in (0.0, CONTROLLER_SILENCE, 59.0):
        progress, verdict = evaluate(progress, RolloutSnapshot(refused(deployment)), now)
        assert verdict.outcome == "waiting"
    _progress, verdict = evaluate(progress, RolloutSnapshot(refused(deployment)), 60.0)
    assert (verdict.outcome, verdict.reason) == ("failing", "ReplicaSetRefused")
    assert "exceeded quota" in verdict.sentence


def test_one_that_could_not_be_made_before_says_nothing_of_ours(deployment):
    progress = start_course(refused(deployment), refused(deployment), "wallet-service", 0.0)
    assert (
        evaluate(progress, RolloutSnapshot(refused(deployment)), CONTROLLER_SILENCE)[1].outcome
        == "silent"
    )
    again = refused(deployment, updated="10:01")
    assert evaluate(progress, RolloutSnapshot(again), CONTROLLER_SILENCE)[1].outcome == "waiting"


def test_a_scheduling_gate_holds_all_clocks(deployment):
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    body = {"metadata": {"name": "p", "uid": "1"}, "status": {"conditions": [gated]}}
    snapshot = RolloutSnapshot(late(deployment), None, (Pod.from_json(body),))
    progress = course_of(deployment)
    for now in (0.0, 300.0, 3000.0):
        progress, verdict = evaluate(progress, snapshot, now)
        assert verdict.outcome == "waiting"
    lifted = replace(snapshot, pods=())  # the deadline that passed meanwhile stands there still
    assert evaluate(progress, lifted, 3001.0)[1].outcome == "waiting"
    assert evaluate(progress, lifted, 3000.0 + deployment.progress_deadline)[1].outcome == "failing"


def test_a_deadline_from_before_an_undo_is_not_held_against_the_undo():
    _now, counts, verdict = replay("undo")[-1]
    assert (verdict.outcome, counts) == ("complete", "3 of 3 updated, 3 available")


def test_a_quota_is_called_at_the_deadline_with_the_servers_reason():
    now, _counts, verdict = replay("quota", deadline=9.0)[-1]
    assert (verdict.outcome, verdict.reason) == ("failing", "DeadlineExceeded")
    assert "quota has no room" in verdict.sentence
    assert verdict.hint.endswith("kubectl describe pods --selector 'app=wallet-service'.")
    assert now == 9.77


@pytest.fixture
def deployment() -> Deployment:
    return next(snapshots("green"))[1].deployment or pytest.fail("the recording is empty")


def course_of(deployment: Deployment) -> RolloutProgress:
    return start_course(deployment, deployment, "wallet-service", 0.0)


def late(deployment: Deployment) -> Deployment:
    passed = Condition("Progressing", "False", "ProgressDeadlineExceeded", "", "10:00")
    return replace(
        deployment, observed_generation=deployment.generation, conditions=(passed,), counts=OPEN
    )


OPEN = ReplicaCounts(desired=3, updated=1, total=4, ready=3, available=3)


def test_a_deadline_that_passes_sooner_than_it_could_since_the_patch_counts_for_nothing(deployment):
    """It had passed before, or the controller counts on from before: an undo may be no progress to it."""
    progress = start_course(deployment, deployment, "wallet-service", 0.0)
    for now in (1.0, 0.8 * deployment.progress_deadline):
        assert evaluate(progress, RolloutSnapshot(late(deployment)), now)[1].outcome == "waiting"


@pytest.mark.parametrize("patched", [pytest.param(0.0, id="ours"), pytest.param(None, id="found")])
def test_a_deadline_that_passes_after_the_patch_dooms(deployment, patched):
    progress = replace(course_of(deployment), patched=patched)
    now = REPAIRED if patched is None else 0.98 * deployment.progress_deadline
    verdict = evaluate(progress, RolloutSnapshot(late(deployment)), now - 0.1)[1]
    assert patched is not None or verdict.outcome == "waiting", "its pods may just be repaired"
    verdict = evaluate(progress, RolloutSnapshot(late(deployment)), now)[1]
    assert (verdict.outcome, verdict.reason) == ("failing", "DeadlineExceeded")


def test_a_name_is_not_what_is_cut_out_of_a_long_message():
    webhook = '"pods.policy.example.com"'
    line = f"Internal error occurred: failed calling webhook {webhook}: failed to call webhook: "
    line += "Post https://policy.example.svc:443/pods?timeout=10s: dial tcp 10.96.0.7:443: connect: connection refused"
    assert webhook in shorten(line)
    assert shorten(line).endswith("connection refused")
    assert len(shorten(line)) < len(line)
    assert len(shorten("x" * 1000)) < 500


@pytest.mark.parametrize(
    ("nodes", "named"), [(("n1", "n1"), True), (("n1", "n2"), False), (("n1",), False)]
)
def test_the_node_on_which_alone_pods_failed_is_named(deployment, nodes, named):
    sign = Sign("x", "app", "CreateContainerError", "mount: permission denied")
    rule = rule_for(sign) or pytest.fail("no rule")
    failed = [
        Suspicion(replace(sign, pod=str(n), node=node), rule, 0.0, 1)
        for n, node in enumerate(nodes)
    ]
    progress = replace(
        course_of(deployment), replaced=tuple(Replacement(each, frozenset()) for each in failed)
    )
    now = 0.98 * deployment.progress_deadline
    verdict = evaluate(progress, RolloutSnapshot(late(deployment)), now)[1]
    assert (verdict.reason, "all 2 new pods that failed were on node n1" in verdict.sentence) == (
        "DeadlineExceeded", named,
    )  # fmt: skip
    assert ("cordon it" in verdict.hint) is named


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        pytest.param({"uid": "another"}, "deleted", id="created-again"),
        pytest.param({"paused": True}, "paused", id="paused"),
        pytest.param(
            {"pod_template": PodTemplate(body={}, containers=())}, "superseded", id="template-moved"
        ),
        pytest.param({"generation": 9}, "waiting", id="scaled-meanwhile"),
    ],
)
def test_other_hands_are_recognised(deployment, change, outcome):
    changed = replace(deployment, **change)
    assert evaluate(course_of(deployment), RolloutSnapshot(changed), 1.0)[1].outcome == outcome


def test_a_restart_by_another_hand_goes_on_as_the_same_rollout(deployment):
    metadata = {
        **deployment.template["metadata"],
        "annotations": {"kubectl.kubernetes.io/restartedAt": "now"},
    }
    body = {**deployment.template, "metadata": metadata}
    template = replace(deployment.pod_template, body=body)
    restarted = replace(deployment, pod_template=template, generation=9)
    progress, verdict = evaluate(course_of(deployment), RolloutSnapshot(restarted), 1.0)
    assert (verdict.outcome, progress.generation) == ("waiting", 9)
    assert evaluate(progress, RolloutSnapshot(restarted), 2.0)[1].outcome == "waiting"


def test_a_controller_that_takes_no_notice_is_called_silent(deployment):
    progress = course_of(deployment)
    assert (
        evaluate(progress, RolloutSnapshot(deployment), CONTROLLER_SILENCE - 1)[1].outcome
        == "waiting"
    )
    assert (
        evaluate(progress, RolloutSnapshot(deployment), CONTROLLER_SILENCE)[1].outcome == "silent"
    )


@pytest.mark.parametrize(
    ("stall", "probe", "failing_at"),
    [
        pytest.param(None, {}, 600.0, id="as-the-deployment-says"),
        pytest.param(60.0, {}, 60.0, id="as-the-task-says"),
        pytest.param(60.0, {"initialDelaySeconds": 90}, 120.0, id="never-before-its-probes-allow"),
    ],
)
def test_a_rollout_that_comes_no_further_is_called_stalled(deployment, stall, probe, failing_at):
    containers = [{"name": "wallet-service", "readinessProbe": probe}]
    template = restored(PodTemplate, {"spec": {"containers": containers}}, "template")
    stuck = replace(deployment, observed_generation=9, counts=OPEN, pod_template=template)
    progress, _verdict = evaluate(
        replace(course_of(stuck), stall=stall), RolloutSnapshot(stuck), 0.0
    )
    assert evaluate(progress, RolloutSnapshot(stuck), failing_at - 0.1)[1].outcome == "waiting"
    assert evaluate(progress, RolloutSnapshot(stuck), failing_at)[1].reason == "Stalled"


def test_readiness_that_flaps_is_no_progress(deployment):
    progress = replace(course_of(deployment), stall=60.0)
    up = replace(OPEN, updated=3, total=3, ready=2, available=2)
    verdict = Evaluation("waiting")
    for second in range(62):
        counts = up if second % 2 else replace(up, ready=1, available=1)
        flapping = replace(deployment, observed_generation=9, counts=counts)
        progress, verdict = evaluate(progress, RolloutSnapshot(flapping), float(second))
    assert verdict.reason == "Stalled"


def test_no_replicas_prove_nothing_unless_that_was_declared(deployment):
    none = replace(deployment, observed_generation=9, counts=ReplicaCounts(0, 0, 0, 0, 0))
    assert evaluate(course_of(deployment), RolloutSnapshot(none), 1.0)[1].outcome == "unproven"
    declared = replace(course_of(deployment), needs_pods=False)
    assert evaluate(declared, RolloutSnapshot(none), 1.0)[1].outcome == "complete"


def test_pods_that_failed_before_the_patch_are_not_laid_to_it():
    *_others, (now, last) = snapshots("crash")
    assert last.deployment is not None
    assert last.pods
    before = frozenset(pod.uid for pod in last.pods)
    progress = replace(course_of(last.deployment), patched=now, failing_before=before, quorum="any")
    assert evaluate(progress, last, now)[1].outcome == "waiting"


@pytest.mark.parametrize("quorum", ["any", "nodes"])
def test_a_pod_that_an_earlier_run_left_in_trouble_is_replaced_before_it_can_doom(quorum):
    """Its image may be pushed by now, and its kubelet pulls it only minutes later: what it shows is old."""
    *_others, (now, last) = snapshots("crash")
    assert last.deployment is not None
    assert last.pods
    why = StateDetail(
        "ImagePullBackOff",
        'Back-off pulling image "easymo/wallet-service:v2.0.0": ErrImagePull: not found',
    )
    pulling = replace(last.pods[0].main_containers[0], restarts=0, state={"waiting": why})
    left = replace(last.pods[0], main_containers=(pulling,))
    ready = (Condition("Ready", "True"),)
    serving = replace(left, name="serving", uid="serving", conditions=ready)  # in nobody's way
    last = replace(last, pods=(serving, left))
    progress = replace(
        course_of(last.deployment),
        started=now,
        progressed=now,
        patched=None,
        quorum=quorum,
        stall=600.0,
        inherited=frozenset({left.uid, serving.uid}),
    )
    verdicts = []
    for later in (0.0, LOOKS_APART, 2 * LOOKS_APART, 60.0):
        progress, verdict = evaluate(progress, last, now + later)
        verdicts.append((verdict.outcome, verdict.replace))
    assert verdicts == [
        ("waiting", ""),
        ("waiting", left.name),
        ("waiting", ""),
        ("waiting", ""),
    ]
    fresh = replace(last, pods=(replace(left, uid="fresh", name="fresh"),))
    for later in (61.0, 64.0):
        progress, verdict = evaluate(progress, fresh, now + later)
    assert (verdict.outcome, verdict.reason) == ("failing", "ImageNotFound")


def test_pods_of_the_old_revision_never_doom():
    *_others, (now, last) = snapshots("crash")
    assert last.deployment is not None
    progress = replace(course_of(last.deployment), patched=now)
    assert (
        evaluate(progress, RolloutSnapshot(last.deployment, None, ()), now)[1].outcome == "waiting"
    )
