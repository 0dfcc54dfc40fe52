"""Whole rollouts against a cluster in memory: every way they can end, and what is left behind."""

import copy
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    RELEASE_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import (
    WriteCheck,
    lease_check_for,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    FrozenError,
    LeaseLostError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.overlap import ALONE, Place
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import Pin, RolloutRequest
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import Rollout
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller

PAGE = Path(__file__).parents[5] / "docs" / "rollouts.md"
TABLE = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines()]
PROMISED = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in TABLE if len(row) == 4}
OLD, NEW = "easymo/wallet-service:v1.9.0", "easymo/wallet-service:v2.0.0"
OUT_OF_MEMORY = {"reason": "OOMKilled", "exitCode": 137}


@dataclass
class World:
    clock: FakeClock = field(default_factory=FakeClock)
    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    reports: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.controller = Controller(self.cluster, OLD)
        self.clock.listeners.append(self.controller.tick)
        self.pin = Pin.of(self.deployment())
        self.cluster.requests.clear()

    def deployment(self) -> Deployment:
        return Deployment.from_json(self.cluster.objects["Deployment", NAME])

    @property
    def image(self) -> str:
        return self.deployment().images[NAME]

    def body(self) -> Object:
        return self.cluster.objects["Deployment", NAME]

    def set_image(self, image: str) -> None:
        """As `kubectl set image` by somebody else."""
        self.body()["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.body()["metadata"]["generation"] += 1

    def roll(
        self,
        image: str = NEW,
        *,
        state: str = "released",
        pin: Pin | None = None,
        guard: WriteCheck | None = None,
        place: Place = ALONE,
        at: str = "",
        fence: int = 0,
        soak: float | None = None,
        allow_no_replicas: bool = False,
        check_mode: bool = False,
        **settings: t.Any,
    ) -> SimpleNamespace:
        rollout = Rollout(
            self.cluster,
            NAME,
            RolloutRequest(
                state=state,
                container=NAME,
                image=image,
                release="2.0.0",
                actor="ann",
                at=at,
                fence=fence,
                soak=soak,
                allow_no_replicas=allow_no_replicas,
                **{"wait_timeout": 120.0, **settings},
            ),
            pin,
            clock=self.clock,
            report=lambda text, _counts: self.reports.append(text),
            guard=guard or lease_check_for(self.cluster, 0, clock=self.clock),
            place=place,
        )
        plan = rollout.plan()
        outcome = rollout.predict(plan) if check_mode else rollout.carry_out(plan)
        as_promised(outcome, failed=False)
        return SimpleNamespace(**outcome)

    def fail(self, image: str = NEW, **settings: t.Any) -> DeployError:
        with pytest.raises(DeployError) as caught:
            self.roll(image, **settings)
        as_promised(caught.value.details, failed=True)
        return caught.value


def as_promised(result: t.Mapping[str, t.Any], *, failed: bool) -> None:
    """By the page's table of endings."""
    fails, wrote, hint = PROMISED[f"`{result['result']}`"]
    assert fails == "when not asked for" or fails == ("yes" if failed else "no")
    assert wrote in ("maybe", "always" if result["changed"] else "never")
    assert result["hint"] == hint


class Denying:
    """A guard that lets `passes` questions through, unless it has to look anew."""

    def __init__(self, exc: DeployError, passes: int = 0) -> None:
        self._exc = exc
        self._passes = passes

    def check(self, *, fresh: bool = False) -> None:
        self._passes -= 1
        if fresh or self._passes < 0:
            raise self._exc


@pytest.fixture
def world() -> World:
    return World()


def test_a_release_succeeds_with_one_patch_and_few_requests(world):
    outcome = world.roll(log_line=f"{NEW} started", soak=0)
    assert (outcome.result, outcome.changed) == ("succeeded", True)
    assert (outcome.before["image"], outcome.after["image"]) == (OLD, NEW)
    assert world.cluster.writes == ["patch Deployment"]
    assert world.reports[-1] == "3 of 3 updated, 3 available"
    assert len(world.cluster.requests) <= 30


def test_a_second_run_finds_nothing_to_do(world):
    world.roll()
    world.cluster.writes.clear()
    world.cluster.requests.clear()
    outcome = world.roll()
    assert (outcome.result, outcome.changed) == ("no_change", False)
    assert (world.cluster.writes, world.cluster.requests) == ([], ["read Deployment"])


def test_without_replicas_nothing_is_released_unless_that_is_allowed(world):
    world.body()["spec"]["replicas"] = 0
    assert world.fail().details["result"] == "blocked"
    assert world.image == OLD
    world.roll(allow_no_replicas=True)
    assert world.image == NEW


@pytest.mark.parametrize(
    ("image", "log_line", "reason"),
    [
        pytest.param(f"{NEW}-nopull", "", "ImageNotFound", id="image-not-found"),
        pytest.param(f"{NEW}-crash", "", "CrashLoop", id="crash-loop"),
        pytest.param(f"{NEW}-unready", "", "Timeout", id="never-ready"),
        pytest.param(NEW, "listening on 8080", "LogLineMissing", id="no-start-line"),
    ],
)
def test_a_doomed_release_returns_to_its_pin_and_fails(world, image, log_line, reason):
    before = world.body()["spec"]["template"]
    error = world.fail(image, pin=world.pin, log_line=log_line)
    assert (error.reason, error.details["result"]) == (reason, "rolled_back")
    assert world.body()["spec"]["template"] == before
    assert RELEASE_ANNOTATION not in world.body()["metadata"]["annotations"]
    assert world.deployment().complete


def test_evidence_is_taken_before_the_undo_deletes_it(world):
    error = world.fail(f"{NEW}-crash")
    diagnosis = error.details["diagnosis"]
    assert diagnosis["pods"][0]["containers"][0]["reason"] == "CrashLoopBackOff"
    assert any("started" in line for lines in diagnosis["logs"].values() for line in lines)
    assert "crashed" in str(error)
    assert "serves as before" in str(error)


def test_a_failure_is_left_as_it_is_when_told_so(world):
    error = world.fail(f"{NEW}-nopull", undo_on_failure=False)
    assert error.details["result"] == "failed_no_undo"
    assert world.image == f"{NEW}-nopull"


def test_an_image_set_by_hand_that_an_undo_brought_back_is_not_taken_for_the_release(world):
    world.roll()
    theirs = "easymo/wallet-service:v1.9.0-hotfix"
    world.set_image(theirs)
    pin = Pin.of(world.deployment())
    error = world.fail(NEW, pin=pin, log_line="listening on 8080")
    assert (error.details["result"], world.image) == ("rolled_back", theirs)
    again = world.roll(pin=pin)
    assert (again.changed, world.image) == (True, NEW)


@pytest.mark.parametrize("soak", [30, None])
def test_a_restart_in_the_soak_is_a_failure_also_of_a_worker_without_probes(world, soak):
    def restart() -> None:
        if world.deployment().complete and world.image == NEW and world.clock.now() > 115:
            for (kind, _name), body in world.cluster.objects.items():
                if kind == "Pod":
                    status = body["status"]["containerStatuses"][0]
                    status |= {"restartCount": 1, "lastState": {"terminated": OUT_OF_MEMORY}}

    world.clock.listeners.append(restart)
    error = world.fail(NEW, soak=soak)
    assert (error.reason, error.details["result"]) == ("OutOfMemory", "rolled_back")


def test_somebody_elses_change_midway_is_never_undone(world):
    theirs = "easymo/wallet-service:v2.0.1"
    world.clock.listeners.append(
        lambda: world.set_image(theirs) if world.image == f"{NEW}-unready" else None
    )
    error = world.fail(f"{NEW}-unready", pin=world.pin)
    assert error.details["result"] == "superseded"
    assert world.image == theirs


LOST = "This run lost the deploy lock: now bob@elsewhere holds it to roll back 2.0.0."


@pytest.mark.parametrize("when", ["midway", "before the patch"])
def test_the_other_hand_is_named_when_it_took_the_deploy_lock(world, when):
    theirs = "easymo/wallet-service:v1.9.0-pinned"
    if when == "midway":
        world.clock.listeners.append(
            lambda: world.set_image(theirs) if world.image == NEW else None
        )
    else:
        world.cluster.before_write = lambda: world.set_image(theirs)
    error = world.fail(NEW, pin=world.pin, guard=Denying(LeaseLostError(LOST), passes=1))
    assert error.details["result"] == "lease_lost"
    assert LOST in str(error)
    assert world.image == theirs


@pytest.mark.parametrize("exc", [FrozenError("It freezes."), UnreachableError("Out of sight.")])
def test_a_change_by_another_hand_is_no_loss_of_a_lock_that_is_held(world, exc):
    theirs = "easymo/wallet-service:v2.0.1"
    world.cluster.before_write = lambda: world.set_image(theirs)
    error = world.fail(NEW, guard=Denying(exc, passes=1))
    assert (error.details["result"], world.image) == ("superseded", theirs)
    assert "somebody else" in str(error)


@pytest.mark.parametrize("exc", [FrozenError("It freezes."), UnreachableError("Out of sight.")])
def test_neither_a_freeze_nor_a_lock_out_of_sight_forbids_the_way_back(world, exc):
    world.roll()
    back = world.roll(state="rolled_back", pin=world.pin, guard=Denying(exc))
    assert (back.result, world.image) == ("rolled_back", OLD)


@pytest.mark.parametrize(
    ("exc", "result"),
    [(FrozenError("It freezes."), "blocked"), (LeaseLostError(LOST), "lease_lost")],
)
@pytest.mark.parametrize("passes", [0, 1], ids=["at first", "after a write of others"])
def test_what_the_guard_forbids_is_not_written_and_says_why(world, exc, result, passes):
    def scale() -> None:
        world.body()["spec"]["replicas"] = 2
        world.body()["metadata"]["generation"] += 1

    world.cluster.before_write = scale
    error = world.fail(NEW, guard=Denying(exc, passes=passes))
    assert (error.details["result"], world.image) == (result, OLD)
    assert str(exc) in str(error)


def outage(world: World, seconds: float) -> None:
    """No API server from the next write on."""
    ends: list[float] = []

    def begin() -> None:
        ends.append(world.clock.now() + seconds)
        world.cluster.out_of_sight = True

    def end() -> None:
        if ends and world.clock.now() >= ends[0]:
            world.cluster.out_of_sight = False

    world.cluster.before_write = begin
    world.clock.listeners.append(end)


def test_a_write_that_finds_no_api_server_is_made_when_there_is_one(world):
    outage(world, 60)
    assert world.roll().result == "succeeded"


def test_a_write_that_finds_no_api_server_for_too_long_is_not_known(world):
    outage(world, 600)
    error = world.fail(NEW)
    assert (error.details["result"], world.image) == ("indeterminate", OLD)


@pytest.mark.parametrize("exc", [FrozenError("It freezes."), LeaseLostError(LOST)])
def test_a_write_without_an_answer_is_not_tried_again_once_the_guard_forbids_it(world, exc):
    outage(world, 20)
    error = world.fail(NEW, guard=Denying(exc, passes=1))
    assert (error.details["result"], world.image) == ("indeterminate", OLD)
    assert str(exc) in str(error)


def test_a_way_back_without_an_answer_goes_on_in_a_freeze_alone(world):
    world.roll()
    outage(world, 20)
    lost = Denying(LeaseLostError(LOST), passes=1)
    error = world.fail(NEW, state="rolled_back", pin=world.pin, guard=lost)
    assert (error.details["result"], world.image) == ("indeterminate", NEW)
    world.clock.sleep(20)
    outage(world, 20)
    frozen = Denying(FrozenError("It freezes."), passes=1)
    assert world.roll(state="rolled_back", pin=world.pin, guard=frozen).result == "rolled_back"


def test_whoever_lost_the_lock_returns_nothing(world):
    world.roll()
    error = world.fail(NEW, state="rolled_back", pin=world.pin, guard=Denying(LeaseLostError(LOST)))
    assert (error.details["result"], world.image) == ("lease_lost", NEW)


def test_scaling_between_look_and_patch_only_makes_the_patch_anew(world):
    def scale() -> None:
        world.body()["spec"]["replicas"] = 5
        world.body()["metadata"]["generation"] += 1

    world.cluster.before_write = scale
    outcome = world.roll()
    assert outcome.result == "succeeded"
    assert outcome.replicas["available"] == world.body()["spec"]["replicas"] == 5


def test_a_run_that_was_killed_is_taken_up_without_a_second_patch(world):
    with pytest.raises(DeployError):
        world.roll(wait_timeout=1, undo_on_failure=False)
    world.cluster.writes.clear()
    outcome = world.roll(soak=0)
    assert (outcome.result, outcome.changed) == ("succeeded", False)
    assert world.cluster.writes == []


def test_a_doomed_rollout_that_was_taken_up_returns_to_its_pin(world):
    with pytest.raises(DeployError):
        world.roll(f"{NEW}-crash", wait_timeout=1, undo_on_failure=False)
    error = world.fail(f"{NEW}-crash", pin=world.pin)
    assert error.details["result"] == "rolled_back"
    assert world.image == OLD


def test_without_a_pin_a_rollout_that_was_taken_up_is_not_undone(world):
    with pytest.raises(DeployError):
        world.roll(f"{NEW}-crash", wait_timeout=1, undo_on_failure=False)
    error = world.fail(f"{NEW}-crash")
    assert error.details["result"] == "failed_no_undo"
    assert "nothing is pinned" in str(error)


def test_loss_of_sight_is_neither_success_nor_a_reason_to_undo(world):
    def vanish() -> None:
        world.cluster.out_of_sight = True

    world.clock.listeners.append(vanish)
    error = world.fail(NEW, pin=world.pin)
    assert error.details["result"] == "indeterminate"
    assert world.image == NEW


def test_one_that_is_paused_midway_is_left_so(world):
    world.clock.listeners.append(lambda: world.body()["spec"].update(paused=world.image == NEW))
    assert world.fail(NEW).details["result"] == "paused"
    assert world.image == NEW


def test_a_deleted_deployment_is_reported_as_deleted(world):
    world.clock.listeners.append(
        lambda: world.cluster.objects.pop(("Deployment", NAME), None) and None
    )
    assert world.fail(NEW).details["result"] == "deleted"


def test_a_silent_controller_is_no_reason_to_undo(world):
    world.controller.silent = True
    error = world.fail(NEW, pin=world.pin)
    assert (error.reason, error.details["result"]) == ("ControllerSilent", "controller_silent")
    assert sum("waiting for kube-controller-manager" in report for report in world.reports) == 1


def test_rolling_back_follows_to_the_end_and_a_second_time_does_nothing(world):
    world.roll()
    outcome = world.roll(state="rolled_back", pin=world.pin)
    assert (outcome.result, outcome.changed, world.image) == ("rolled_back", True, OLD)
    again = world.roll(state="rolled_back", pin=world.pin)
    assert (again.result, again.changed) == ("no_change", False)


def test_a_way_back_fences_what_it_finds_at_its_pin_and_the_second_time_writes_nothing(world):
    before = world.body()["spec"]
    status = world.roll(state="rolled_back", pin=world.pin, fence=3, check_mode=True)
    assert (status.result, status.changed, status.fenced) == ("no_change", False, True)
    assert FENCE_ANNOTATION not in world.body()["metadata"]["annotations"]
    for fenced in (True, False):
        outcome = world.roll(state="rolled_back", pin=world.pin, fence=3)
        world.clock.sleep(1.0)  # the controller observes it
        assert (outcome.result, outcome.changed, outcome.fenced) == ("no_change", False, fenced)
        assert world.body()["metadata"]["annotations"][FENCE_ANNOTATION] == "3"
    assert world.body()["spec"] == before


def test_a_run_that_lost_the_lock_does_not_release_over_what_a_way_back_found_at_its_pin(world):
    """It looked at the Deployment and at the lock, and stood still until the rollback had come and gone."""

    class TakenOver:
        def check(self, *, fresh: bool = False) -> None:
            world.roll(state="rolled_back", pin=world.pin, fence=4)

    error = world.fail(NEW, guard=TakenOver(), fence=3)
    assert error.details["result"] == "lease_lost"
    assert "epoch 4, ours is 3" in str(error)
    assert world.image == OLD


def test_a_way_back_fences_what_another_hand_changed_and_leaves_its_template(world):
    pin = copy.deepcopy(world.pin)
    world.set_image(f"{NEW}-by-hand")
    error = world.fail(state="rolled_back", pin=pin, fence=3)
    assert (error.details["result"], error.details["fenced"]) == ("superseded", True)
    assert world.body()["metadata"]["annotations"][FENCE_ANNOTATION] == "3"
    assert world.image == f"{NEW}-by-hand"


def test_an_undo_that_fails_too_says_so(world):
    def spoil() -> None:
        world.controller.silent = world.image == OLD

    world.clock.listeners.insert(0, spoil)
    error = world.fail(f"{NEW}-nopull", pin=world.pin)
    assert error.details["result"] == "rollback_failed"
    assert "Undoing it failed too" in str(error)
    assert "Yet 3 of 3 pods are available" in str(error), "the old ones serve all the while"


def test_an_undo_leaves_alone_what_was_written_under_a_later_lock_that_is_out_of_sight(world):
    """The same template under a later epoch: another run rolled it back, and deployed it again."""

    def again() -> None:
        if world.image == f"{NEW}-crash":
            world.body()["metadata"]["annotations"][FENCE_ANNOTATION] = "3"

    world.clock.listeners.append(again)
    unseen = Denying(UnreachableError("Could not look."), passes=2)
    error = world.fail(f"{NEW}-crash", guard=unseen, fence=1)
    assert error.details["result"] == "lease_lost"
    assert world.image == f"{NEW}-crash"
    assert world.body()["metadata"]["annotations"][FENCE_ANNOTATION] == "3"
