import functools
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    KILL_SWITCH_EPOCH_ANNOTATION,
    RAMP_ANNOTATION,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import (
    KillSwitch,
    decide_flags,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.consumer import ConsumerState
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import (
    FlagsMap,
    FlagsPlan,
    Wish,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import (
    ENDING,
    IDLE,
    REACHED,
    STALE,
    UNKNOWN,
    Asker,
    PodState,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.proof import (
    KUBELETS_KNOW,
    Replaceable,
    ReplacedPods,
    next_victim,
    replace_stale_pods,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kill_switch import (
    check_reached,
    overruled,
    plan_lowered,
    plan_set,
    to_sentence,
    write_switch,
)
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    HOLD,
    PENDING,
    PROCEED,
    RELEASED,
    ROLLBACK,
    RampState,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.tables import cases

OFF = {"FEATURE_AGENTS": "false", "FEATURE_AGENTS_ROLLOUT_PERCENTAGE": "0"}
AGENTS, PERCENTAGE = OFF
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AT_NOON = "2026-11-24T12:00:00Z"
ADA = KillSwitch(set_at="2026-11-24T09:00:00Z", by="ada", reason="errors", flags=OFF)
ROBOT = KillSwitch(
    set_at="2026-11-24T08:00:00Z", by="run", reason="smoke", automatic=True, flags=OFF
)


def decided(cluster: MemoryCluster, decide: t.Callable[[FlagsMap], Wish]) -> FlagsPlan:
    return decide_flags(cluster, "feature-flags", decide, check_mode=False)


def set_by_module(cluster: MemoryCluster, switch: KillSwitch, *, automatic: bool) -> FlagsPlan:
    """As the module sets it, at the epoch of the lock where it looks at that."""
    return write_switch(
        cluster,
        "feature-flags",
        lambda current, epoch: plan_set(current, switch, epoch),
        clock=FakeClock(),
        check_mode=False,
        automatic=automatic,
    )


class CrowdedCluster(MemoryCluster):
    """One in which somebody else sets a switch right after the first write."""

    def __init__(self, other: KillSwitch) -> None:
        super().__init__()
        self._other: KillSwitch | None = other

    def apply(self, kind: str, body: t.Any, **how: t.Any) -> t.Any:
        written = super().apply(kind, body, **how)
        if self._other is not None:
            other, self._other = self._other, None
            decided(self, lambda current: plan_set(current, other))
        return written


def test_two_who_switch_off_at_the_same_moment_both_succeed():
    cluster = CrowdedCluster(ADA)
    assert decided(cluster, lambda current: plan_set(current, ROBOT)).changed
    body = cluster.objects["ConfigMap", "feature-flags"]
    switch = KillSwitch.from_annotations(body["metadata"]["annotations"])
    assert switch is not None
    assert (switch.by, dict(switch.flags)) == ("ada", OFF)


def test_a_switch_that_holds_less_than_ours_right_after_it_is_told():
    cluster = MemoryCluster()
    other = replace(ADA, flags={AGENTS: "false"})

    def decide(current: FlagsMap) -> t.Any:
        return plan_set(replace(current, annotations={}), ROBOT)

    apply = cluster.apply

    def overwritten(kind: str, body: t.Any, **how: t.Any) -> t.Any:
        written = apply(kind, body, **how)
        written["metadata"]["annotations"] = {KILL_SWITCH_ANNOTATION: other.to_annotation()}
        return cluster.put(kind, written)

    cluster.apply = overwritten  # type: ignore[method-assign]
    with pytest.raises(VerificationError, match="reads differently"):
        decided(cluster, decide)


def observed(switch: KillSwitch | None = None, **data: str) -> FlagsMap:
    annotations = {KILL_SWITCH_ANNOTATION: switch.to_annotation()} if switch else {}
    return FlagsMap("feature-flags", exists=True, data=data, annotations=annotations)


@cases(("there", "wanted", "after"), {
    "first": (None, ADA, ADA),
    "a person takes over": (ROBOT, ADA, ADA),
    "never taken from a person": (ADA, ROBOT, ADA),
    "second person": (ADA, KillSwitch("later", "bob", "too", flags=OFF), ADA),
    "again": (ROBOT, KillSwitch("later", "run", "too", automatic=True, flags=OFF), ROBOT),
})  # fmt: skip
def test_whoever_set_it_first_stays_named(there, wanted, after):
    wish = plan_set(observed(there), wanted)
    assert wish.flags == OFF
    if there == after:
        assert wish.annotations == {}
    else:
        assert wish.annotations == {KILL_SWITCH_ANNOTATION: after.to_annotation()}


@pytest.mark.parametrize(
    ("there", "wanted", "written"),
    [(None, ROBOT, "7"), (ROBOT, ROBOT, "7"), (ADA, ROBOT, None), (None, ADA, None)],
    ids=["first", "again", "a person's", "by a person"],
)
def test_an_automatic_switch_says_whom_it_is_meant_for_and_only_for_later_ones(
    there, wanted, written
):
    wish = plan_set(observed(there), wanted, 7)
    assert wish.annotations.get(KILL_SWITCH_EPOCH_ANNOTATION) == written
    for epoch, known in ((7, "7"), (6, "7"), (0, "7")):
        current = observed(there)
        current = replace(
            current, annotations={**current.annotations, KILL_SWITCH_EPOCH_ANNOTATION: known}
        )
        assert KILL_SWITCH_EPOCH_ANNOTATION not in plan_set(current, wanted, epoch).annotations


def test_setting_it_again_at_a_later_epoch_is_a_write_and_no_change():
    cluster, plans = MemoryCluster(), []
    for epoch in (7, 8, 8):
        cluster.writes.clear()
        plans.append(decided(cluster, functools.partial(plan_set, wanted=ROBOT, epoch=epoch)))
        wrote = bool(cluster.writes)
        assert (plans[-1].changed, plans[-1].writes) == (len(plans) == 1, wrote)
    assert [plan.writes for plan in plans] == [True, True, False]


@pytest.mark.parametrize(
    ("automatic", "answers", "written", "epoch"),
    [
        (True, True, "2", "3"),
        (True, False, "2", "2"),
        (True, False, "", None),
        (False, True, "2", None),
    ],
)
def test_the_lock_is_looked_at_for_an_automatic_switch_and_keeps_none_waiting(
    automatic, answers, written, epoch
):
    class Cluster(MemoryCluster):
        def read(self, kind: str, name: str) -> t.Any:
            if kind == "Lease" and not answers:
                raise UnreachableError("The lock is out of sight.")
            return super().read(kind, name)

    cluster = Cluster()
    lease = {"metadata": {"name": "easymo-deploy"}, "spec": {"leaseTransitions": 3}}
    cluster.put("Lease", lease)
    if written:
        marks = {FENCE_ANNOTATION: written}
        cluster.put("ConfigMap", {"metadata": {"name": "feature-flags", "annotations": marks}})
    switch = replace(ROBOT, automatic=automatic)
    plan = set_by_module(cluster, switch, automatic=automatic)
    assert plan.annotations.get(KILL_SWITCH_EPOCH_ANNOTATION) == epoch
    assert plan.after == OFF


def test_a_second_setting_holds_what_both_named():
    wider = KillSwitch("later", "bob", "too", flags={"FEATURE_BUYER_AGENT": "false"})
    wish = plan_set(observed(ADA), wider)
    assert wish.flags == {**OFF, "FEATURE_BUYER_AGENT": "false"}
    switch = KillSwitch.from_annotations(wish.annotations)
    assert switch is not None
    assert switch.by == "ada"


def test_who_takes_over_holds_what_another_release_left_held():
    left = replace(ROBOT, flags={"FEATURE_WALLET_LIMITS": "false"})
    wish = plan_set(observed(left), ADA)
    switch = KillSwitch.from_annotations(wish.annotations)
    assert switch == replace(ADA, flags={**OFF, "FEATURE_WALLET_LIMITS": "false"})
    assert wish.flags == switch.flags


def test_one_that_cannot_be_read_goes_on_to_hold_every_flag():
    there = replace(observed(), annotations={KILL_SWITCH_ANNOTATION: "rubbish"})
    wish = plan_set(there, ADA)
    assert (wish.flags, wish.annotations) == (OFF, {})


@pytest.mark.parametrize(
    ("present", "percentage", "allowed"),
    [
        ({PERCENTAGE: "10"}, 1, True),
        ({PERCENTAGE: "10"}, 10, True),
        ({PERCENTAGE: "10"}, 11, False),
        ({PERCENTAGE: "9"}, 10, False),
        ({}, 0, True),
        ({}, 1, False),
        ({PERCENTAGE: "ten"}, 1, True),
    ],
)
def test_a_percentage_only_goes_down(present, percentage, allowed):
    if allowed:
        wish = plan_lowered(observed(**present), PERCENTAGE, percentage, AT_NOON)
        assert wish.flags == {PERCENTAGE: str(percentage)}
        return
    with pytest.raises(ConflictError, match="would be more"):
        plan_lowered(observed(**present), PERCENTAGE, percentage, AT_NOON)


STEP = RampState(
    step=2,
    percentage=10,
    started=NOON - timedelta(days=2),
    since=NOON - timedelta(hours=2),
    watch_until=NOON - timedelta(hours=1),
    holder="ada",
)


@pytest.mark.parametrize(
    ("verdict", "left"), [(PROCEED, PENDING), (RELEASED, PENDING), (PENDING, PENDING), (HOLD, HOLD)]
)
@pytest.mark.parametrize("state", ["lowered", "set"])
def test_a_step_that_it_took_users_out_of_is_watched_anew_wherever_it_comes_back_from(
    verdict, left, state
):
    here = {"annotations": {RAMP_ANNOTATION: replace(STEP, verdict=verdict).to_annotation()}}
    at_ten, at_one = (
        replace(observed(**{AGENTS: "false", PERCENTAGE: value}), **here) for value in ("10", "1")
    )
    wish = (
        plan_lowered(at_ten, PERCENTAGE, 1, AT_NOON)
        if state == "lowered"
        else plan_set(at_ten, ADA)
    )
    after = RampState.from_annotation(wish.annotations[RAMP_ANNOTATION])
    at = NOON if state == "lowered" else NOON - timedelta(hours=3)
    assert after == replace(STEP, verdict=left, since=at, watch_until=at + timedelta(hours=1))
    assert RAMP_ANNOTATION not in plan_lowered(at_one, PERCENTAGE, 1, AT_NOON).annotations


def test_what_brought_a_step_down_stays_when_it_takes_users_out_of_the_step_below():
    breached = replace(STEP, verdict=ROLLBACK, reasons=("errors 2 %",)).to_annotation()
    ten = replace(observed(**{PERCENTAGE: "10"}), annotations={RAMP_ANNOTATION: breached})
    wish = plan_lowered(ten, PERCENTAGE, 1, AT_NOON)
    assert wish.annotations.get(RAMP_ANNOTATION) == breached


def pod(name: str, state: str, *, ready: bool = True, deleting: bool = False) -> PodState:
    return PodState(name, name, state, ready=ready, detail="A is 'true'", deleting=deleting)


@pytest.mark.parametrize("state", [ENDING, UNKNOWN], ids=["ending", "by a clock that is ahead"])
def test_a_pod_that_is_ending_serves_nobody(state):
    pods = [pod("a", STALE), pod("b", state, deleting=True)]
    assert next_victim(pods, frozenset("ab"), 2) is None


def running(*names: str) -> MemoryCluster:
    cluster = MemoryCluster()
    for name in names:
        cluster.put("Pod", {"metadata": {"name": name}})
    return cluster


class Desired:
    """The counts of a Deployment whose replicas may change between two looks."""

    def __init__(self, replicas: t.Callable[[], int]) -> None:
        self._replicas = replicas

    @property
    def desired(self) -> int:
        return self._replicas()


def sweeps(
    cluster: MemoryCluster,
    ask: t.Callable[[], list[PodState]],
    known: t.Iterable[str],
    *,
    clock: FakeClock,
    replicas: int | t.Callable[[], int] = 3,
    report: t.Callable[[str], None] = lambda _text: None,
) -> ReplacedPods:
    counts = Desired(replicas if callable(replicas) else lambda: replicas)
    deployment = SimpleNamespace(name="gone since", counts=counts)
    asker: t.Any = SimpleNamespace(cluster=cluster, deployment=deployment, clock=clock, ask=ask)
    replaceable = Replaceable(frozenset(known), clock.now(), lambda _pod: True)
    return replace_stale_pods(asker, replaceable, deadline=clock.now() + 200, report=report)


def ends(
    cluster: MemoryCluster,
    ask: t.Callable[[], list[PodState]],
    known: t.Iterable[str],
    clock: FakeClock,
) -> list[float]:
    """Seconds after which each pod is ended, of a Deployment with two."""
    began, reports = clock.now(), []

    def report(_text: str) -> None:
        reports.append(clock.now() - began)

    sweeps(cluster, ask, known, replicas=2, clock=clock, report=report)
    return reports


def test_sweeping_stops_when_a_replacement_does_not_come():
    cluster = running(*"abc")

    def ask() -> list[PodState]:
        return [pod(name, STALE) for _kind, name in cluster.objects]

    replaced_pods = sweeps(cluster, ask, "abc", clock=FakeClock())
    assert replaced_pods.replaced == ("a",)
    assert "replacement of a did not become ready" in replaced_pods.problem
    assert [*cluster.objects] == [("Pod", "b"), ("Pod", "c")]


def test_a_pod_that_is_ending_is_no_replacement():
    cluster, clock = running(*"ab"), FakeClock()
    began = clock.now()

    def ask() -> list[PodState]:
        pods = [pod("b", REACHED)]
        if ("Pod", "a") in cluster.objects:
            return [pod("a", STALE), *pods]
        passed = clock.now() - began
        pods += [pod("a", ENDING, deleting=True)] if passed < 5 else []
        return pods + ([pod("new", REACHED)] if passed >= 8 else [])

    after = sweeps(cluster, ask, "ab", clock=clock, replicas=2)
    assert [pod.pod for pod in after.pods] == ["b", "new"]


@cases(("ready_after", "ended_after"), {"it comes": (9, 9), "it never does": (3600, 25)})
def test_pods_of_a_scale_up_meanwhile_are_waited_for_but_not_for_long(ready_after, ended_after):
    cluster, clock = running("old"), FakeClock()
    began = clock.now()

    def ask() -> list[PodState]:
        passed = clock.now() - began
        pods = [pod("old", STALE), pod("first", REACHED, ready=passed >= 8)]
        pods += [pod("more", REACHED, ready=passed >= ready_after)] if passed >= 5 else []
        return [pod for pod in pods if pod.pod != "old" or ("Pod", "old") in cluster.objects]

    assert ends(cluster, ask, {"old"}, clock) == [ended_after]


def test_pods_that_an_autoscaler_takes_meanwhile_are_not_waited_for():
    cluster, clock = running(*"abcd"), FakeClock()
    began = clock.now()

    def scaled_down() -> bool:
        return clock.now() - began >= 3

    def ask() -> list[PodState]:
        if scaled_down():
            cluster.objects.pop(("Pod", "d"), None)
            cluster.objects.pop(("Pod", "c"), None)
        there = [name for _kind, name in cluster.objects]
        fresh = [
            pod(f"new-{name}", REACHED, ready=scaled_down()) for name in "ab" if name not in there
        ]
        return [pod(name, STALE) for name in there] + fresh

    replaced_pods = sweeps(
        cluster, ask, "abcd", clock=clock, replicas=lambda: 2 if scaled_down() else 4
    )
    assert (replaced_pods.replaced, replaced_pods.problem) == (("a", "b"), "")
    assert clock.now() - began < 60


@pytest.mark.parametrize(
    ("knows_after", "ended", "state"),
    [
        pytest.param(2, ("a", "b", "c"), REACHED, id="its kubelet was late"),
        pytest.param(3600, ("a",), STALE, id="another is no better"),
    ],
)
def test_what_started_after_the_flags_were_written_is_ended_while_that_helps(
    knows_after, ended, state
):
    cluster, clock = running(*"abc"), FakeClock()
    began, reports = clock.now(), []
    states: dict[str, str] = {}

    def ask() -> list[PodState]:
        known = REACHED if clock.now() - began >= knows_after else STALE
        pods = []
        for name in "abc":
            there = ("Pod", name) in cluster.objects
            pods.append(
                pod(name, STALE) if there else pod(f"new-{name}", states.setdefault(name, known))
            )
        return pods

    replaced_pods = sweeps(
        cluster, ask, (), clock=clock, report=lambda _text: reports.append(clock.now())
    )
    assert (replaced_pods.replaced, replaced_pods.problem) == (ended, "")
    assert next(pod.state for pod in replaced_pods.pods if pod.pod == "new-a") == state
    assert reports[0] - began == pytest.approx(KUBELETS_KNOW, abs=1)


def test_a_pod_that_starts_just_then_is_looked_at_once_its_kubelet_knows_of_the_flags():
    clock = FakeClock()
    began = clock.now()

    def ask() -> list[PodState]:
        return [pod("a", IDLE if clock.now() - began < 3 else REACHED)]

    replaced_pods = sweeps(MemoryCluster(), ask, (), replicas=1, clock=clock)
    assert [pod.state for pod in replaced_pods.pods] == [REACHED]
    broken = sweeps(MemoryCluster(), lambda: [pod("a", IDLE)], (), replicas=1, clock=clock)
    assert (broken.problem, clock.now() - began <= KUBELETS_KNOW + 5) == ("", True)


@cases(("starts_after", "ended_after"), {"it comes": (6, 6), "it never does": (3600, 20)})
def test_a_pod_that_is_starting_is_waited_for_but_not_for_long(starts_after, ended_after):
    """A run that was killed had ended the one before it."""
    cluster, clock = running("old"), FakeClock()
    began = clock.now()

    def ask() -> list[PodState]:
        fresh = pod("new", REACHED, ready=clock.now() - began >= starts_after)
        return [*([pod("old", STALE)] if ("Pod", "old") in cluster.objects else []), fresh]

    assert ends(cluster, ask, {"old", "new"}, clock) == [ended_after]


def test_one_that_starts_with_the_old_flags_is_ended_at_once_and_its_successor_waited_for():
    cluster, clock = running("old", "starting"), FakeClock()
    began, reports = clock.now(), []

    def ask() -> list[PodState]:
        fresh = pod("new", REACHED, ready=clock.now() - began >= 6)
        pods = [pod("old", STALE), pod("starting", STALE, ready=False)]
        there = [pod for pod in pods if ("Pod", pod.pod) in cluster.objects]
        return there if len(there) == 2 else [*there, fresh]

    def report(text: str) -> None:
        reports.append((text.split()[2].strip(","), clock.now() - began))

    sweeps(cluster, ask, {"old", "starting"}, replicas=2, clock=clock, report=report)
    assert reports == [("starting", 0), ("old", 6)]


@pytest.mark.parametrize(
    ("ends_after", "lasts", "left"),
    [
        pytest.param(5, 0, [], id="our clock is wrong"),
        pytest.param(5, 40, [], id="our clock is wrong, and another pod does not answer for long"),
        pytest.param(3600, 0, ["lost"], id="its node is gone"),
    ],
)
def test_a_pod_that_should_have_ended_is_believed_to_be_lost_only_after_another_look(
    ends_after, lasts, left
):
    clock = FakeClock()
    began = clock.now()
    lost = replace(pod("lost", UNKNOWN), deleting=True)

    def ask() -> list[PodState]:
        listed = clock.now() - began
        if 0 < listed < ends_after:
            clock.sleep(lasts)
        fresh = [pod("new", REACHED)]
        return fresh if listed >= ends_after else [lost, *fresh]

    replaced_pods = sweeps(MemoryCluster(), ask, (), replicas=1, clock=clock)
    assert [pod.pod for pod in replaced_pods.pods if pod.state == UNKNOWN] == left
    assert clock.now() - began <= 31 + lasts


def deployed() -> tuple[MemoryCluster, list[str]]:
    """A cluster with a Deployment, and the names of its pods."""
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet-service:v1")
    return cluster, [name for kind, name in cluster.objects if kind == "Pod"]


def states_of(cluster: MemoryCluster) -> dict[str, PodState]:
    deployment = Deployment.from_json(cluster.objects["Deployment", NAME])
    clock = FakeClock()
    about = ({AGENTS: "false"}, clock, lambda: NOON, clock.now())
    asker = Asker(cluster, deployment, *about)
    return {pod.pod: pod for pod in asker.ask()}


def test_each_pod_is_told_as_it_is():
    cluster, names = deployed()
    cluster.environments = dict.fromkeys(names, f"{AGENTS}=false\n")
    cluster.environments[names[1]] = f"{AGENTS}=true\n"
    waiting = cluster.objects["Pod", names[2]]["status"]["containerStatuses"][0]
    waiting["state"] = {"waiting": {"reason": "ImagePullBackOff"}}
    states = states_of(cluster)
    assert [states[name].state for name in names] == [REACHED, STALE, IDLE]
    assert states[names[1]].detail == f"{AGENTS} is 'true' instead of 'false'"


def test_a_pod_that_cannot_be_asked_is_never_taken_for_off():
    cluster, names = deployed()

    def refuse(*_arguments: t.Any) -> str:
        raise UnreachableError("the node does not answer")

    cluster.execute = refuse  # type: ignore[assignment,method-assign]
    ending, overdue = (cluster.objects["Pod", name]["metadata"] for name in names[:2])
    ending["deletionTimestamp"] = "2026-11-24T12:00:20Z"
    overdue["deletionTimestamp"] = "2026-11-24T11:50:00Z"
    states = states_of(cluster)
    assert [states[name].state for name in names] == [ENDING, UNKNOWN, UNKNOWN]
    with pytest.raises(VerificationError) as raised:
        check_reached(
            "feature-flags", [ConsumerState(NAME, pods=tuple(states.values()))], {"changed": True}
        )
    assert "only 0 of 2 pods" in str(raised.value)
    assert f"pod {names[2]} (cannot be asked: the node does not answer)" in str(raised.value)


def test_one_answer_that_is_lost_leaves_no_pod_unknown():
    cluster, names = deployed()
    cluster.environments = dict.fromkeys(names, f"{AGENTS}=false\n")
    execute, lost = cluster.execute, {names[0]}

    def stumble(pod: str, container: str, command: t.Any) -> str:
        if pod in lost:
            lost.remove(pod)
            raise UnreachableError("Read timed out")
        return execute(pod, container, command)

    cluster.execute = stumble  # type: ignore[method-assign]
    assert {pod.state for pod in states_of(cluster).values()} == {REACHED}


def test_a_consumer_that_was_not_seen_is_named():
    gone = ConsumerState("gone", problem="There is no Deployment 'gone'", listed=False)
    good = ConsumerState("good", pods=(pod("a", REACHED), pod("b", IDLE)))
    check_reached("feature-flags", [good], {})
    with pytest.raises(VerificationError, match=r"only 1 of 1 pods .* whatever 'gone' runs"):
        check_reached("feature-flags", [good, gone], {})


def test_a_switch_that_is_reset_while_its_pods_restart_is_told_as_the_cause():
    cluster = MemoryCluster()
    cluster.put("ConfigMap", {"metadata": {"name": "feature-flags"}, "data": {AGENTS: "true"}})
    plan = set_by_module(cluster, ADA, automatic=False)
    stale = [ConsumerState("agents", pods=(pod("a", STALE),))]
    assert overruled(cluster, plan) == ()
    decided(cluster, lambda _observed: Wish({AGENTS: "true"}, {KILL_SWITCH_ANNOTATION: None}))
    with pytest.raises(ConflictError, match=f"check {KILL_SWITCH_ANNOTATION}, {AGENTS}"):
        check_reached("feature-flags", stale, {}, overruled(cluster, plan))


def test_a_switch_that_was_set_already_is_not_said_to_take_time_now():
    set_again = to_sentence(
        "set", ADA, OFF, by="bob", reason="errors", reached_after=0.0, moved=False
    )
    assert set_again.endswith("Every pod runs it.")
