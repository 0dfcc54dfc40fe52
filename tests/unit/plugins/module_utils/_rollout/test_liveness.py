"""A release lasts until its liveness probe has answered, and no longer; a kill for a probe is called that."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    SOAK_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.evaluate import Evaluation
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.follow import (
    Ages,
    LivenessProof,
    ProbePatience,
    as_kill,
    patience_of,
    with_answer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Pod
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import Pin
from tests.fakes.controller import NAME
from tests.tables import cases
from tests.unit.plugins.module_utils._rollout.test_runner import NEW, World

SLOW = {"initialDelaySeconds": 60, "periodSeconds": 10}
HTTP = {"httpGet": {"path": "/live", "port": 8080}}
STARTED = {"reason": "Started", "message": f"Started container {NAME}"}
UNHEALTHY = {
    "reason": "Unhealthy",
    "message": "Liveness probe failed: HTTP probe failed with statuscode: 500",
}
KILLING = {
    "reason": "Killing",
    "message": f"Container {NAME} failed liveness probe, will be restarted",
}


def template(*containers: Object, sidecars: t.Sequence[Object] = ()) -> Object:
    """The first of `containers` is rolled."""
    named = [{"name": f"c{n}" if n else NAME, **each} for n, each in enumerate(containers)]
    others = [{"name": f"s{n}", **each} for n, each in enumerate(sidecars)]
    return {"spec": {"containers": named, "initContainers": others}}


@cases(("template", "probed", "killed"), {
    "no probe: the server's defaults": (template({}), 31, 31),
    "a readiness probe alone": (template({"readinessProbe": {"initialDelaySeconds": 5,
                                "periodSeconds": 2, "failureThreshold": 4}}), 14, 14),
    "the server's defaults": (template({"livenessProbe": HTTP, "readinessProbe": SLOW}), 11, 31),
    "the slowest container": (template({"livenessProbe": {"initialDelaySeconds": 20,
                              "periodSeconds": 5, "failureThreshold": 4, "timeoutSeconds": 2}},
                              {"livenessProbe": {"periodSeconds": 1}}), 27, 42),
    "another container without any": (template({"livenessProbe": {"periodSeconds": 1}}, {}), 2, 4),
    "a native sidecar": (template({"livenessProbe": {"periodSeconds": 1}}, sidecars=[{
                         "restartPolicy": "Always", "livenessProbe": {"periodSeconds": 2}},
                         {"livenessProbe": {"periodSeconds": 60}}]), 3, 7),
})  # fmt: skip
def test_the_soak_follows_from_the_probe(template, probed, killed):
    assert patience_of(template, NAME) == ProbePatience(probed, killed)


def pod(uid: str = "p", restarts: int = 0, started: bool | None = None, **state: Object) -> Pod:
    status: Object = {"name": NAME, "restartCount": restarts, "state": state or {"running": {}}}
    if started is not None:
        status["started"] = started
    metadata = {"name": uid, "uid": uid}
    return Pod.from_json({"metadata": metadata, "status": {"containerStatuses": [status]}})


def test_a_pod_counts_from_its_start_and_anew_from_each_restart():
    ages = Ages()
    ages.note([pod(started=False), pod("q", waiting={})], 100)
    assert ages.oldest(100) == ("", 0.0)
    ages.note([pod(started=True), pod("q")], 105)
    ages.note([pod(started=True), pod("q", restarts=1)], 110)
    assert ages.oldest(112) == ("p", 7.0)
    ages.note([pod("q", restarts=1)], 115)
    assert ages.oldest(115) == ("q", 5.0)


def test_time_in_which_nothing_was_seen_is_not_counted():
    ages = Ages()
    looks = [(at, ages.note([pod(started=True)], at)) for at in (100, 102, 104, 120, 122)]
    assert [at for at, lost in looks if lost] == [120]
    assert ages.oldest(122) == ("p", 2.0)


@pytest.mark.parametrize(
    ("events", "left"),
    [
        pytest.param([STARTED], 0.0, id="it was asked and nothing failed"),
        pytest.param([STARTED, UNHEALTHY], 18.0, id="it failed once"),
        pytest.param(
            [STARTED, {"reason": "Unhealthy", "message": "Readiness probe failed", "count": 21}],
            18.0,
            id="the recorder drops more",
        ),
        pytest.param([], 18.0, id="no event arrives: silence is no proof"),
        pytest.param(None, 18.0, id="events may not be read"),
    ],
)
def test_one_answer_is_enough_when_events_of_the_pod_arrive(events, left):
    proof = LivenessProof(ProbePatience(probed=11, killed=31))
    assert proof.weigh("p", 5, lambda _uid: pytest.fail("too early to ask")) is None
    assert proof.weigh("p", 13, lambda _uid: events) is None
    assert proof.left == left


def test_what_happened_out_of_sight_is_asked_for_again():
    """The API server was away: what the kubelet had to tell comes after it."""
    proof = LivenessProof(ProbePatience(probed=11, killed=31))
    proof.weigh("p", 13, lambda _uid: [STARTED, UNHEALTHY])
    assert proof.weigh("p", 0, lambda _uid: pytest.fail("too early to ask")) is None
    assert proof.left == 31
    killed = proof.weigh("p", 13, lambda _uid: [STARTED, UNHEALTHY, KILLING])
    assert killed is not None
    assert killed.reason == "LivenessFailed"


def test_whoever_outlived_the_kill_is_proven_without_any_event():
    proof = LivenessProof(ProbePatience(probed=11, killed=31))
    assert proof.weigh("p", 32, lambda _uid: None) is None
    assert proof.left <= 0


@pytest.fixture
def world() -> World:
    return World()


def probed(world: World, **probe: int) -> World:
    container = world.body()["spec"]["template"]["spec"]["containers"][0]
    container["livenessProbe"] = {**HTTP, **probe}
    for _tick in range(40):
        world.controller.tick()
    world.cluster.requests.clear()
    return world


def set_events(world: World, *events: Object) -> None:
    for number, event in enumerate(events):
        world.cluster.put("Event", {"metadata": {"name": f"e{number}"}, **event})


def test_probes_that_answered_long_enough_cost_nothing(world):
    plain = World().roll()
    quick = probed(world, periodSeconds=1, failureThreshold=1).roll()
    assert quick.result == "succeeded"
    assert quick.duration - plain.duration <= 0.5
    assert not [line for line in world.reports if "liveness" in line]


@pytest.mark.parametrize(
    ("events", "soak", "least", "most"),
    [
        pytest.param((), None, 80, 95, id="until it would have been killed"),
        pytest.param((STARTED,), None, 60, 75, id="until it was asked"),
        pytest.param((), 200, 200, 215, id="longer when asked for"),
        pytest.param((), 0, 0, 10, id="not at all when forbidden"),
    ],
)
def test_a_release_that_is_complete_waits_for_its_probe(world, events, soak, least, most):
    set_events(probed(world, **SLOW), *events)
    outcome = world.roll(soak=soak, wait_timeout=30.0)
    assert outcome.result == "succeeded"
    assert least <= outcome.duration <= most
    assert len([line for line in world.reports if "watched for restarts" in line]) <= 1


def test_a_pod_that_is_killed_for_its_probe_dooms_the_release_that_was_complete(world):
    probed(world, **SLOW)

    def kill() -> None:
        if world.image == NEW and world.deployment().complete and world.clock.now() > 150:
            set_events(world, STARTED, UNHEALTHY, KILLING)

    world.clock.listeners.append(kill)
    error = world.fail(NEW)
    assert (error.reason, error.details["result"]) == ("LivenessFailed", "rolled_back")
    assert "does not answer its livenessProbe" in str(error)
    assert "HTTP probe failed with statuscode: 500" in str(error)
    assert error.details["diagnosis"]["reason"] == "LivenessFailed"


def test_a_way_back_does_not_wait_for_probes(world):
    probed(world, **SLOW)
    world.pin = world.pin.of(world.deployment())
    world.roll(soak=0)
    back = world.roll(state="rolled_back", pin=world.pin)
    assert (back.result, back.duration < 20) == ("rolled_back", True)


def test_a_crash_loop_that_the_kubelet_makes_is_called_a_failing_probe(world):
    set_events(world, UNHEALTHY, KILLING)
    error = world.fail(f"{NEW}-crash", quorum="any")
    assert error.reason == "LivenessFailed"
    assert "crashed" not in str(error)


def test_a_crash_of_its_own_stays_a_crash(world):
    set_events(
        world, STARTED, {"reason": "BackOff", "message": "Back-off restarting failed container"}
    )
    assert world.fail(f"{NEW}-crash", quorum="any").reason == "CrashLoop"


def test_another_containers_kill_explains_nothing():
    verdict = Evaluation("failing", "CrashLoop", "it crashed", pod="p", container=NAME)
    other = {"message": "Container proxy failed liveness probe, will be restarted"}
    assert as_kill(verdict, [other]) is verdict


def test_why_a_container_was_killed_is_what_its_probe_said_last():
    """As the events of a real kubelet: the first probe met a server that did not listen yet."""
    verdict = Evaluation("failing", "CrashLoop", "it crashed", pod="p", container=NAME)
    refused = "Liveness probe failed: dial tcp 10.1.0.7:8080: connect: connection refused"
    answered = "Liveness probe failed: HTTP probe failed with statuscode: 503"
    startup = "Startup probe failed: HTTP probe failed with statuscode: 404"
    events = [
        {"message": refused, "lastTimestamp": "2026-11-29T10:00:01Z"},
        {"message": answered, "lastTimestamp": None, "eventTime": "2026-11-29T10:00:20.5Z"},
        {"message": startup, "lastTimestamp": "2026-11-29T10:00:21Z"},
        {**KILLING, "lastTimestamp": "2026-11-29T10:00:20Z"},
    ]
    assert "statuscode: 503" in as_kill(verdict, events).sentence


@cases("told", {
    "never ready": ("DeadlineExceeded", False, True),
    "another cause": ("ImageNotFound", False, False),
    "another pod": ("DeadlineExceeded", True, False),
})  # fmt: skip
def test_a_service_that_is_never_ready_is_told_with_what_its_probe_answered(told):
    reason, ready, quoted = told
    answer = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    diagnosis = {
        "pods": [{"name": "p", "ready": ready}],
        "events": [{"object": "Pod/p", "message": answer}],
    }
    verdict = with_answer(Evaluation("failing", reason, "it made no progress"), diagnosis)
    assert verdict.sentence == "it made no progress" + f" ({answer})" * quoted


def killed_in_its_soak(world: World) -> None:
    """Right after it was complete."""

    class KilledError(Exception):
        pass

    def kill() -> None:
        if any("watched for restarts" in line for line in world.reports):
            raise KilledError

    world.clock.listeners.append(kill)
    with pytest.raises(KilledError):
        world.roll()
    world.clock.listeners.remove(kill)


def test_a_run_after_one_that_was_killed_in_its_soak_sees_it_through(world):
    killed_in_its_soak(probed(world, **SLOW))
    assert SOAK_ANNOTATION in world.body()["metadata"]["annotations"]
    world.clock.sleep(3600.0)
    again = world.roll()
    assert (again.result, again.changed, again.duration > 60) == ("succeeded", False, True)
    assert SOAK_ANNOTATION not in world.body()["metadata"]["annotations"]
    once_more = world.roll()
    assert (once_more.result, once_more.duration < 10) == ("no_change", True)


def test_what_another_run_releases_meanwhile_keeps_its_own_soak(world):
    """A run that lost the lock does not say of the release of another that it lives."""
    probed(world, **SLOW)

    def take_over() -> None:
        metadata = world.body()["metadata"]
        if any("watched for restarts" in line for line in world.reports):
            metadata["annotations"][FENCE_ANNOTATION] = "8"
            metadata["generation"] = 9
            world.body()["status"]["observedGeneration"] = 9

    world.clock.listeners.append(take_over)
    world.roll(fence=7)
    assert SOAK_ANNOTATION in world.body()["metadata"]["annotations"]


def test_the_mark_of_a_soak_goes_with_the_release(world):
    probed(world, **SLOW)
    pin = Pin.of(world.deployment())
    killed_in_its_soak(world)
    assert world.roll(state="rolled_back", pin=pin).result == "rolled_back"
    assert SOAK_ANNOTATION not in world.body()["metadata"]["annotations"]


def test_its_events_are_looked_at_as_soon_as_it_was_certainly_asked(world):
    set_events(probed(world, periodSeconds=3, failureThreshold=9, timeoutSeconds=1), STARTED)
    plain = world.roll(soak=0).duration
    # Asked within four seconds of its start, and not at the next even one.
    assert world.roll(image=f"{NEW}-again").duration - plain <= 4.5


def test_a_restart_by_another_hand_in_the_soak_is_followed(world):
    set_events(probed(world, **SLOW), STARTED)
    restarted: list[float] = []

    def restart() -> None:
        if not restarted and any("watched for restarts" in line for line in world.reports):
            restarted.append(world.clock.now())
            metadata = world.body()["spec"]["template"].setdefault("metadata", {})
            metadata.setdefault("annotations", {})["kubectl.kubernetes.io/restartedAt"] = "now"
            world.body()["metadata"]["generation"] += 1

    world.clock.listeners.append(restart)
    result = world.roll()
    assert (result.result, bool(restarted)) == ("succeeded", True)
    # A look for pods of the first ReplicaSet ends at the deadline of the soak, 114 s.
    assert world.clock.now() - restarted[0] < 90
