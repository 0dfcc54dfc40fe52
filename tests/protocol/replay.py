"""The model's steps taken by the product's own functions, upon a cluster in memory: after each the two stand alike."""

import json
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    DeployError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import (
    LEAVE_OFF,
    RESET_AUTOMATIC,
    KillSwitch,
    _apply,
    _refuse_later_epoch,
    _refuse_switched_off,
    _with_epoch,
    epoch_of_switch,
    observe_flags,
    wish_under,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsMap, plan_flags
from ansible_collections.easymo.deploy.plugins.module_utils._kill_switch import plan_set
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import (
    LEASE,
    LeaseCheck,
    Locking,
    epoch_now,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    UNDO,
    Lock,
    LockClaim,
    fence_of,
    format_time,
    leave_epoch,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.plan import (
    BLOCKED,
    plan_held,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.models import ROLLED_BACK
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import PhaseOrder
from ansible_collections.easymo.deploy.plugins.module_utils._release.pins import (
    Pins,
    pins_name,
    read_pins,
    record_name,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.apply import (
    GuardedCluster,
    apply_plan,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observer import (
    observe_deployment,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import (
    RolloutPlan,
    RolloutRequest,
    plan_rollout,
)
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run as Process
from tests.fakes.cluster import FakeClock, MemoryCluster

from .model import (
    AUTOMATIC,
    BACK,
    CHECKED,
    DEAD,
    FREE,
    NONE,
    PERSON,
    RUNNING,
    UNSET,
    Model,
    Move,
    State,
)

VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
PHASE, FLAGS, FLAG = "microservices", "feature-flags", "NEW"
DURATION = 60
ORDER = PhaseOrder(phases=("preflight", PHASE), passed=frozenset({"preflight"}))
SERVICE_NAMES = ("agent-core", "wallet-service", "webhook")


class Remembered:
    """What a run of the model remembers, as the product would."""

    def __init__(self, who: int, life: int) -> None:
        self.process = Process("here", 100 * (life + 1) + who, "9")
        self.fence = 0
        self.guard: LeaseCheck | None = None
        self.plan: t.Any = None
        self.pins: Pins | None = None
        self.partly = False


class Replay:
    def __init__(self, model: Model, services: int) -> None:
        self.model = model
        self.cluster, self.clock = MemoryCluster(), FakeClock()
        self.names = SERVICE_NAMES[:services]
        self.dead: set[Process] = set()
        self.lives = 0
        self.runs = [Remembered(who, 0) for who in range(len(model.scripts))]
        self.cluster.put("ConfigMap", {"metadata": {"name": FLAGS}, "data": {FLAG: "false"}})
        for name in self.names:
            self.cluster.put("Deployment", _deployment(name))
        self._controller()

    def step(self, before: State, move: Move, after: State) -> None:
        """Raises AssertionError where the product and the model part."""
        who, name = move
        run = self.runs[who]
        self._renew(before)
        self._blocked(before)
        if name in CHECKED:
            ended = self._look(run, CHECKED[name])
        else:
            ended = getattr(self, "do_" + name.replace(".", "_"))(who, run, before, after)
        self._controller()
        seen, wanted = self.seen(after), _face(after)
        assert seen == wanted, f"after {move}: the product stands at {seen}, the model at {wanted}"
        if ended is not None:
            at = after.runs[who].at
            assert ended == at, (
                f"after {move}: the product goes on to {ended!r}, the model to {at!r}"
            )

    # Faces

    def seen(self, state: State) -> t.Any:
        body = self.cluster.objects.get(("Lease", LEASE))
        lock = Lock(name=LEASE) if body is None else Lock.from_json(body)
        holders = {one.process: who for who, one in enumerate(self.runs)}
        holder = FREE if not lock.holder else DEAD if lock.run in self.dead else holders[lock.run]  # type: ignore[index]
        records, pins = [], []
        for release in range(1, len(state.records)):
            record = self._store(release).read()
            phase = record.phases.get(PHASE) if record else None
            status = NONE if phase is None else phase.status
            if record is not None and record.status == ROLLED_BACK:
                status = BACK
            body = self.cluster.objects.get(("ConfigMap", record_name(VERSIONS[release])))
            fence = fence_of(body) if body else 0
            opened = phase.fence if phase else 0
            records.append((status, record.attempt if record and phase else 0, fence, opened))
            kept = read_pins(self.cluster, record_name(VERSIONS[release]))
            pins.append(
                kept
                and (
                    kept.attempt,
                    tuple(_number(kept.deployments[one]["images"][one]) for one in self.names),
                    kept.fence,
                )
            )
        services = [
            (_number(one.images[name]), fence_of(self.cluster.objects["Deployment", name]))
            for name in self.names
            for one in [Deployment.from_json(self.cluster.objects["Deployment", name])]
        ]
        flags = self.cluster.objects["ConfigMap", FLAGS]
        observed = FlagsMap.from_json(FLAGS, flags)
        switch = KillSwitch.from_annotations(flags["metadata"].get("annotations") or {})
        set_by = UNSET if switch is None else AUTOMATIC if switch.automatic else PERSON
        return (
            (holder, lock.fence, bool(lock.holder) and lock.purpose == UNDO),
            tuple(records),
            tuple(pins),
            tuple(services),
            (flags["data"][FLAG] == "true", set_by, fence_of(flags), epoch_of_switch(observed)),
        )

    # Around the runs

    def _controller(self) -> None:
        """Every rollout is complete at once."""
        for name in self.names:
            body = self.cluster.objects["Deployment", name]
            body["status"] = {"observedGeneration": body["metadata"]["generation"]}
            short = str(_number(body["spec"]["template"]["spec"]["containers"][0]["image"]))
            self.cluster.objects["ReplicaSet", f"{name}-{short}"] = _replica_set(name, short, body)

    def _renew(self, state: State) -> None:
        """Time passes between two steps, and the keeper of a run that lives renews."""
        self.clock.sleep(6.0)
        holder = state.lease.holder
        body = self.cluster.objects.get(("Lease", LEASE))
        if body and holder not in (FREE, DEAD) and not state.runs[holder].paused:
            lock = replace(Lock.from_json(body), renewed=format_time(self._wall()))
            self.cluster.objects["Lease", LEASE] |= {"spec": lock.to_json("n")["spec"]}

    def _blocked(self, state: State) -> None:
        """Who waits in the model is refused by the product at its first look, and the other way round."""
        able = set(self.model.moves(state))
        for who, run in enumerate(state.runs):
            holder = state.lease.holder
            if run.at != "lock.read" or (holder not in (FREE, DEAD) and state.runs[holder].paused):
                continue
            step = plan_held(self._lock(), self._claim(who), self._alive, self._wall())
            assert (step.outcome != BLOCKED) == ((who, "lock.read") in able), (
                f"run {who}: {step.outcome}"
            )

    def _lock(self) -> Lock:
        body = self.cluster.objects.get(("Lease", LEASE))
        return Lock(name=LEASE) if body is None else Lock.from_json(body)

    def _wall(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=self.clock.now())

    def _alive(self, process: Process) -> bool | None:
        return process not in self.dead

    def _claim(self, who: int) -> LockClaim:
        purpose = UNDO if self.model.scripts[who].kind == "rollback" else "deploy"
        run = self.runs[who].process
        return LockClaim(holder=f"op{who}", run=run, purpose=purpose, duration=DURATION)

    def _locking(self, who: int) -> Locking:
        return Locking(
            self.cluster,
            LEASE,
            self._claim(who),
            clock=self.clock,
            alive=self._alive,
            wall=self._wall,
        )

    def _store(self, release: int) -> ReleaseStore:
        return ReleaseStore(self.cluster, VERSIONS[release], clock=self.clock)

    def _release(self, who: int) -> int:
        return self.model.scripts[who].release

    # The steps; each returns where the run goes on, or None

    def do_lock_read(self, who: int, run: Remembered, _before: State, _after: State) -> str:
        run.fence = self._locking(who).hold().after.fence
        return self.model.next[who]["lock.write"]

    def _look(self, run: Remembered, then: str) -> str:
        guard = LeaseCheck(self.cluster, LEASE, run.fence, clock=self.clock, wall=self._wall)
        try:
            guard.check()
        except DeployError:
            return "end"
        return then

    def _record(self, who: int, run: Remembered, **more: t.Any) -> None:
        change = RecordChange(
            VERSIONS[self._release(who)],
            f"op{who}",
            format_time(self._wall()),
            fence=run.fence,
            phase=PHASE,
            **more,
        )
        self._store(self._release(who)).change(change, check_mode=False)

    def do_open_read(self, who: int, run: Remembered, *_states: State) -> str:
        try:
            self._record(who, run, phase_status=RUNNING, order=ORDER)
        except DeployError:
            return "unlock"
        return "pin.read"

    def do_pin_read(self, who: int, run: Remembered, *_states: State) -> str:
        store = self._store(self._release(who))
        record = store.read()
        assert record is not None
        try:
            store.leave_epoch(run.fence)
            store.pin(
                record.attempt,
                deployments=self.names,
                config_maps=(),
                fence=run.fence,
                check_mode=False,
            )
        except DeployError:
            return "unlock"
        return "observe"

    def do_seal_record(self, who: int, run: Remembered, *_states: State) -> str:
        return self._seal(record_name(VERSIONS[self._release(who)]), run, "seal.pins")

    def do_seal_pins(self, who: int, run: Remembered, *_states: State) -> str:
        return self._seal(pins_name(record_name(VERSIONS[self._release(who)])), run, "again.read")

    def _seal(self, name: str, run: Remembered, then: str) -> str:
        try:
            leave_epoch(self.cluster, name, run.fence)
        except DeployError:
            return "unlock"
        return then

    def do_back_read(self, _who: int, run: Remembered, *_states: State) -> str:
        return self._plan_flags(run, LEAVE_OFF, {FLAG: "false"}, ("back.check", "pins.look"))

    def do_back_write(self, _who: int, run: Remembered, *_states: State) -> str:
        return self._write_flags(run, "back.read", "pins.look")

    def do_pins_look(self, who: int, run: Remembered, *_states: State) -> str:
        run.pins = read_pins(self.cluster, record_name(VERSIONS[self._release(who)]))
        return "observe" if run.pins else "unlock"

    def _wanted(self, who: int, run: Remembered, name: str) -> RolloutRequest:
        release = VERSIONS[self._release(who)]
        state = "released" if self.model.scripts[who].kind == "deploy" else "rolled_back"
        return RolloutRequest(state, name, _image(self._release(who)), release=release, actor=f"op{who}",
                              fence=run.fence, allow_no_replicas=True)  # fmt: skip

    def _plan(self, who: int, run: Remembered, state: State, deployment: Deployment) -> RolloutPlan:
        name = self.names[state.runs[who].service]
        pin = run.pins.deployment(name) if run.pins else None
        return plan_rollout(deployment, self._wanted(who, run, name), pin)

    def do_observe(self, who: int, run: Remembered, before: State, _after: State) -> str:
        name = self.names[before.runs[who].service]
        try:
            run.plan = self._plan(who, run, before, observe_deployment(self.cluster, name))
        except DeployError:
            return self._refused(who, run, before)
        return "check" if run.plan.writes else self._next(who, before)

    def do_patch(self, who: int, run: Remembered, before: State, after: State) -> str | None:
        name = self.names[before.runs[who].service]
        if not before.runs[who].valid and after.runs[who].at == "patch":
            return None  # the model looks again in a step of its own, the product in the same call
        try:
            apply_plan(
                GuardedCluster(self.cluster, _passed, self.clock, float("inf")),
                run.plan,
                self._wanted(who, run, name),
                replan=lambda current: self._plan(who, run, before, current),
            )
        except DeployError:
            return self._refused(who, run, before)
        return "proof" if after.runs[who].at == "proof" else self._next(who, before)

    def do_works(self, who: int, _run: Remembered, before: State, _after: State) -> str:
        return self._next(who, before)

    def _refused(self, who: int, run: Remembered, before: State) -> str:
        run.partly = True
        return "fail.check" if self.model.scripts[who].kind == "deploy" else self._next(who, before)

    def _next(self, who: int, before: State) -> str:
        deploys = self.model.scripts[who].kind == "deploy"
        last = len(self.names) - 1 if deploys else 0
        return self.model.next[who]["observe"] if before.runs[who].service == last else "observe"

    def do_close_read(self, who: int, run: Remembered, *_states: State) -> None:
        if self.model.scripts[who].kind == "deploy":
            self._record(who, run, phase_status="done", status="done")  # with the sign-off
        elif run.partly:
            self._record(who, run, phase_status="partly_rolled_back")
        else:
            self._record(who, run, phase_status="rolled_back", status=ROLLED_BACK)

    def do_fail_write(self, who: int, run: Remembered, *_states: State) -> None:
        self._record(who, run, phase_status="failed")

    def do_flags_read(self, _who: int, run: Remembered, *_states: State) -> str:
        return self._plan_flags(
            run, RESET_AUTOMATIC, {FLAG: "true"}, ("flags.check", "close.check")
        )

    def do_flags_write(self, _who: int, run: Remembered, *_states: State) -> str:
        return self._write_flags(run, "flags.read", "close.check")

    def _plan_flags(
        self, run: Remembered, rule: str, flags: dict[str, str], then: tuple[str, str]
    ) -> str:
        """Where it goes on: with something to write, and with nothing."""
        observed = observe_flags(self.cluster, FLAGS)
        wish = wish_under(rule, observed, flags, fence=run.fence)
        try:
            _refuse_later_epoch(observed, wish.fence)
            _refuse_switched_off(observed, wish)
        except DeployError:
            return "unlock"
        run.plan = plan_flags(observed, wish.flags, _with_epoch(observed, wish))
        return then[0] if run.plan.writes else then[1]

    def _write_flags(self, run: Remembered, again: str, then: str) -> str:
        try:
            _apply(self.cluster, run.plan, check_mode=False)
        except ConflictError:
            return again
        return then

    def do_kill_read(self, who: int, _run: Remembered, *_states: State) -> None:
        automatic = self.model.scripts[who].kind == "rollback"
        wanted = KillSwitch(
            format_time(self._wall()), f"op{who}", "a test", automatic, {FLAG: "false"}
        )
        observed = observe_flags(self.cluster, FLAGS)
        wish = plan_set(observed, wanted, epoch_now(self.cluster) if automatic else 0)
        plan = plan_flags(observed, wish.flags, wish.annotations)
        if plan.writes:
            _apply(self.cluster, plan, check_mode=False)

    def do_again_read(self, who: int, run: Remembered, before: State, after: State) -> None:
        self.do_kill_read(who, run, before, after)

    def do_unlock(self, who: int, *_rest: t.Any) -> None:
        self._locking(who).free()

    def do_crash(self, who: int, run: Remembered, *_states: State) -> None:
        self.dead.add(run.process)

    def do_again(self, who: int, *_rest: t.Any) -> None:
        self.lives += 1
        self.runs[who] = Remembered(who, self.lives)

    def do_pause(self, *_rest: t.Any) -> None:
        self.clock.sleep(2.0 * DURATION)

    def do_wake(self, *_rest: t.Any) -> None:
        return


def _passed() -> None:
    """The guard, which the model asks in a step of its own."""


def _face(state: State) -> t.Any:
    return (
        tuple(state.lease),
        tuple(tuple(one) for one in state.records[1:]),
        tuple(state.pins[1:]),
        tuple((image, fence) for image, fence, _epoch, _late in state.services),
        state.flags,
    )


def _image(release: int) -> str:
    return f"easymo/service:v{VERSIONS[release]}"


def _number(image: str) -> int:
    return [_image(one) for one in range(len(VERSIONS))].index(image)


def _deployment(name: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "uid": f"u-{name}",
            "generation": 1,
            "annotations": {"team": "w"},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": _image(0)}]},
            },
        },
    }


def _replica_set(name: str, short: str, body: Object) -> Object:
    return {
        "metadata": {
            "name": f"{name}-{short}",
            "uid": f"rs-{name}-{short}",
            "resourceVersion": "1",
            "labels": {"app": name, "pod-template-hash": short},
            "annotations": {
                "deployment.kubernetes.io/revision": str(body["metadata"]["generation"])
            },
            "ownerReferences": [{"uid": body["metadata"]["uid"], "controller": True}],
        },
        "spec": {"replicas": 1, "template": json.loads(json.dumps(body["spec"]["template"]))},
    }
