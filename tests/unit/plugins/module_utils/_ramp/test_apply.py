"""The ramp over a cluster in memory: what was decided is what is written, whatever happens in between."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    RAMP_ANNOTATION,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    DeployError,
    InputError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.apply import (
    Ramp,
    RampFlags,
    RampOutcome,
    WatchFinding,
)
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    HOLD,
    PENDING,
    PROCEED,
    ROLLBACK,
    RampRefusedError,
    StepRequest,
)
from tests.fakes.cluster import MemoryCluster
from tests.fakes.lock import NAME, NOON, Scene
from tests.unit.plugins.module_utils._ramp.scenes import DAY, DAY_1, SCHEDULE, state_at

FLAG, FEATURE, FLAGS = (
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE",
    "FEATURE_AI_AGENTS",
    "feature-flags",
)
KILL = json.dumps({"set_at": "2026-11-26T10:00:00Z", "by": "eve", "reason": "angry users"})


class Stage:
    """A ConfigMap at 5 %, found good, on the day of 10 %; and this run holds the lock."""

    def __init__(self, verdict: str = PROCEED, day: float = 3) -> None:
        self.scene = Scene()
        self.cluster: MemoryCluster = self.scene.cluster
        self.scene.jump = DAY_1 + (day - 1) * DAY - NOON
        annotations = {RAMP_ANNOTATION: state_at(5, verdict).to_annotation(), "theirs": "stays"}
        self.put({FEATURE: "true", FLAG: "5", "OTHER": "kept"}, annotations)
        self.fence = self.scene.locking(self.scene.claim()).hold().after.fence

    def put(self, data: dict[str, str], annotations: dict[str, str]) -> None:
        metadata = {"name": FLAGS, "annotations": annotations}
        self.cluster.put("ConfigMap", {"metadata": metadata, "data": data})

    @property
    def body(self) -> t.Any:
        return self.cluster.objects["ConfigMap", FLAGS]

    def edit(self, percentage: str, **annotations: str) -> None:
        self.put(
            {**self.body["data"], FLAG: percentage},
            {**self.body["metadata"]["annotations"], **annotations},
        )

    def ramp(self, fence: int | None = None, **options: t.Any) -> Ramp:
        return Ramp(
            self.cluster,
            RampFlags(FLAGS, FLAG, FEATURE),
            SCHEDULE,
            fence=self.fence if fence is None else fence,
            wall=self.scene.wall,
            **options,
        )

    def steps(self, percentage: int | None = None, **options: t.Any) -> RampOutcome:
        settings = {"check_mode": False, **options}
        return self.ramp().step(StepRequest(by="bob", percentage=percentage), **settings)

    def is_at(self) -> tuple[str, int, str]:
        state = json.loads(self.body["metadata"]["annotations"][RAMP_ANNOTATION])
        return self.body["data"][FLAG], state["percentage"], state["verdict"]

    def once_before_a_write(self, act: t.Callable[[], None]) -> None:
        def hook() -> None:
            self.cluster.before_write = lambda: None
            act()

        self.cluster.before_write = hook


def test_a_step_is_one_write_of_the_percentage_and_the_state():
    stage = Stage()
    predicted = stage.steps(check_mode=True)
    assert stage.is_at() == ("5", 5, PROCEED)
    done = stage.steps()
    assert stage.is_at() == ("10", 10, PENDING)
    assert predicted.plan == done.plan
    assert predicted.flags.checksum == done.flags.checksum
    assert stage.body["data"]["OTHER"] == "kept"
    assert stage.body["metadata"]["annotations"]["theirs"] == "stays"
    again = stage.steps()
    assert (again.plan.action, again.flags.changed) == ("watch", False)


def test_a_kill_between_read_and_write_wins():
    stage = Stage()
    stage.once_before_a_write(lambda: stage.edit("0", **{KILL_SWITCH_ANNOTATION: KILL}))
    with pytest.raises(RampRefusedError, match="eve set the kill switch"):
        stage.steps()
    assert stage.is_at() == ("0", 5, PROCEED)


def test_two_runs_at_once_go_up_one_step_together():
    stage = Stage(day=30)
    others: list[RampOutcome] = []
    stage.once_before_a_write(lambda: others.append(stage.steps()))
    done = stage.steps()
    assert [outcome.plan.action for outcome in others] == ["raise"]
    assert done.plan.action == "watch", "the second finds the step that the first has taken"
    assert stage.is_at() == ("10", 10, PENDING)


def test_what_was_edited_between_read_and_write_is_looked_at_again():
    stage = Stage()
    stage.once_before_a_write(lambda: stage.edit("7"))
    with pytest.raises(RampRefusedError, match="'7', which is not a step"):
        stage.steps()
    assert stage.is_at() == ("7", 5, PROCEED)
    down = stage.steps(1)
    assert (down.plan.action, stage.is_at()) == ("lower", ("1", 1, PENDING))


@pytest.mark.parametrize("verdict", [PROCEED, PENDING], ids=["raise", "watch"])
def test_up_needs_the_lock(verdict):
    stage = Stage(verdict)
    with pytest.raises(RampRefusedError, match="ann@here"):
        stage.ramp(fence=0).step(StepRequest(by="bob"), check_mode=True)
    del stage.cluster.objects["Lease", NAME]
    with pytest.raises(InputError, match="going up needs the deploy lock"):
        stage.ramp(fence=0).step(StepRequest(by="bob"), check_mode=False)
    stage.ramp(fence=0).step(StepRequest(by="bob"), check_mode=True)
    with pytest.raises(LeaseLostError):
        stage.steps()
    assert stage.is_at() == ("5", 5, verdict)


def test_another_run_that_took_the_lock_over_keeps_it():
    stage = Stage()
    stage.scene.locking(stage.scene.claim("zoe", "there", 2)).hold(force=True)
    with pytest.raises(RampRefusedError, match="zoe@there"):
        stage.steps()
    assert stage.is_at() == ("5", 5, PROCEED)


def test_the_way_up_carries_the_epoch_and_the_way_down_leaves_it():
    stage = Stage()
    stage.steps()
    assert stage.body["metadata"]["annotations"][FENCE_ANNOTATION] == str(stage.fence)
    stage.edit(
        "5", **{FENCE_ANNOTATION: "9", RAMP_ANNOTATION: state_at(5, PROCEED).to_annotation()}
    )
    with pytest.raises(LeaseLostError, match="epoch 9"):
        stage.steps()
    stage.steps(1)
    assert stage.is_at()[0] == "1"
    assert stage.body["metadata"]["annotations"][FENCE_ANNOTATION] == "9"


def test_the_lock_of_a_run_that_was_killed_is_in_nobodys_way():
    stage = Stage()
    ramp = stage.ramp(fence=0, alive=lambda run: run.pid != 1)
    assert ramp.look(StepRequest(by=""))[0].action == "raise"


def test_a_freeze_stops_the_way_up():
    stage = Stage()
    stage.scene.freeze(reason="Black Friday", by="ann")
    with pytest.raises(RampRefusedError, match="Black Friday"):
        stage.steps()
    assert stage.steps(1).plan.action == "lower"


def test_down_does_not_even_look_at_the_lock():
    stage = Stage()
    stage.cluster.objects["Lease", NAME]["spec"]["leaseTransitions"] = "broken"
    done = stage.ramp(fence=0).step(StepRequest(by="bob", percentage=0), check_mode=False)
    assert (done.plan.action, stage.is_at()) == ("lower", ("0", 0, PENDING))


def test_a_feature_that_is_off_is_not_ramped():
    stage = Stage()
    stage.put({FEATURE: "false", FLAG: "5"}, stage.body["metadata"]["annotations"])
    with pytest.raises(RampRefusedError, match="the feature is off"):
        stage.steps()


@pytest.mark.parametrize(
    ("verdict", "after"),
    [(PROCEED, ("5", 5, PROCEED)), (HOLD, ("5", 5, HOLD)), (ROLLBACK, ("1", 1, ROLLBACK))],
)
def test_a_verdict_is_one_write_and_again_none(verdict, after):
    stage = Stage(PENDING)
    finding = WatchFinding(5, verdict, "bob", ("why",))
    assert stage.ramp().judge(finding, check_mode=True).flags.changed is True
    assert stage.is_at() == ("5", 5, PENDING)
    assert stage.ramp().judge(finding, check_mode=False).flags.changed is True
    assert stage.is_at() == after
    assert stage.ramp().judge(finding, check_mode=False).flags.changed is False


def test_a_kill_while_it_is_judged_wins():
    stage = Stage(PENDING)
    stage.once_before_a_write(lambda: stage.edit("0", **{KILL_SWITCH_ANNOTATION: KILL}))
    with pytest.raises(ConflictError, match="eve set the kill switch"):
        stage.ramp().judge(WatchFinding(5, ROLLBACK, "bob"), check_mode=False)
    assert stage.is_at()[0] == "0"


def test_only_a_verdict_that_lets_users_in_asks_for_the_lock():
    stage = Stage(PENDING)
    with pytest.raises(DeployError, match="going up needs the deploy lock"):
        stage.ramp(fence=0).judge(WatchFinding(5, PROCEED, "bob"), check_mode=False)
    stage.ramp(fence=0).judge(WatchFinding(5, ROLLBACK, "bob"), check_mode=False)
    assert stage.is_at() == ("1", 1, ROLLBACK)


def test_a_look_writes_nothing_and_tells_who_deploys():
    stage = Stage()
    before = stage.cluster.writes.copy()
    ramp_plan, needs_lock = stage.ramp(fence=0).look(StepRequest(by=""))
    assert ([reason.kind for reason in ramp_plan.reasons], needs_lock) == (["lock"], True)
    assert stage.ramp(fence=0).look(StepRequest(by="", percentage=1))[1] is False
    assert stage.cluster.writes == before
