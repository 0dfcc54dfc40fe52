"""States that the product's own operations leave in a cluster, and what comes next of each."""

import contextlib
import functools
import itertools
import typing as t
from dataclasses import asdict, replace
from types import SimpleNamespace
from unittest import mock

from ansible_collections.easymo.deploy.plugins.module_utils import _kill_switch as kill_switch
from ansible_collections.easymo.deploy.plugins.module_utils import _ramp_step, _rollback, _window
from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError, HoldError
from ansible_collections.easymo.deploy.plugins.module_utils._flags import apply
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import Wish
from ansible_collections.easymo.deploy.plugins.module_utils._gate import (
    models,
    state,
    store,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import WatchPlan
from ansible_collections.easymo.deploy.plugins.module_utils._guard.apply import start_of
from ansible_collections.easymo.deploy.plugins.module_utils._guard.memory import MemoryStore
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import UNDO
from ansible_collections.easymo.deploy.plugins.module_utils._messages import headline
from ansible_collections.easymo.deploy.plugins.module_utils._ramp import apply as ramping
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.options import describe
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    HOLD,
    PROCEED,
    ROLLBACK,
    StepRequest,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import PhaseOrder, Waiver
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act, Record
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.easymo.deploy.plugins.module_utils._rollback import DIFFERS, verification
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observer import (
    observe_standings,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status import build
from ansible_collections.easymo.deploy.plugins.module_utils._story import next_step as tells
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import (
    PlaybookRun,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from ansible_collections.easymo.deploy.plugins.module_utils._terminal import models as terminal
from ansible_collections.easymo.deploy.plugins.module_utils._time import epoch, parse_time
from ansible_collections.easymo.deploy.plugins.modules import feature_ramp
from tests.fakes.controller import deployment
from tests.fakes.lock import NOON, Scene
from tests.fakes.release_records import PLAN
from tests.simulation.platform import FLAGS, PERCENTAGE, SWITCH
from tests.unit.plugins.module_utils._guard import ramp_world
from tests.unit.plugins.module_utils._ramp.scenes import HOUR, SCHEDULE

PHASES = tuple(str(phase["name"]) for phase in PLAN)
CHANGING = ("database", "edge_functions", "microservices", "feature_flags")
SWITCHES_OFF = ("feature_flags", "smoke_tests", "monitoring")
PARTS = {"microservices": "services"}
ON, OFF = {SWITCH: "true", PERCENTAGE: "1"}, {SWITCH: "false", PERCENTAGE: "0"}
SERVICES, BEFORE = ("agent-core", "wallet-service", "voice-bridge"), "v1.9.0"
METRIC = models.Metric("m", "prometheus", "q", "", models.Bounds(maximum=1))
WATCH = WatchPlan((METRIC,), state.Schedule(duration=100))
OPENS = NOON + 2 * HOUR
ALWAYS, AFTERNOON = {"timezone": "UTC"}, {"timezone": "UTC", "start": "14:00", "end": "16:00"}


class World(Scene):
    """A platform at noon, and what playbooks and people do to it.

    `broken`: the phases that fail. `unclear`: those that hold. `going`: the phases of the run that has the lock.
    `full`: whether the databases' disk is. `restored`: how the end of their restore is announced.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken, self.unclear, self.going, self.full = "", "", (), False
        self.window, self.pids = ALWAYS, itertools.count(2)
        self.parts: tuple[str, ...] = ()
        """Of the last rollback that came to its announcement, by the tags of its playbook."""
        self.moved: list[tuple[int, int, str]] = []
        """By ramp or guard: the percentage before and after, and what is announced of it."""
        self.last_run: headline.ReleaseStatus | None = None
        self.monitoring, self.heard, self.restored = ramp_world.Monitoring(), set[str](), ""
        self.cluster.put("ConfigMap", {"metadata": {"name": FLAGS, "annotations": {}}, "data": OFF})
        self.roll(SERVICES, BEFORE)
        self.pins = {entry["name"]: entry for entry in observe_standings(self.cluster, None)}

    # --- what is seen -------------------------------------------------------------------------------------------------

    def now(self) -> str:
        return self.wall().strftime("%Y-%m-%dT%H:%M:%SZ")

    def ramp(self, fence: int = 0) -> ramping.Ramp:
        return ramping.Ramp(self.cluster, ramp_world.PLACE, SCHEDULE, fence=fence, wall=self.wall)

    def asks(self) -> StepRequest:
        blocked = _ramp_step.blocked_by("2.0.0", self.records().read())
        return StepRequest("bob", start=replace(start_of(self.record()), blocked=blocked))

    def percentage(self) -> int:
        return int(apply.observe_flags(self.cluster, FLAGS).data[PERCENTAGE])

    def options(self) -> build.StatusOptions:
        ramp = describe(SCHEDULE, self.ramp().look(self.asks())[0])
        return build.StatusOptions(
            SERVICES, Plan.read(PLAN), ramp, launch_window=self.window, changing=CHANGING
        )

    def story(self) -> tells.Story:
        observed = build.look(self.cluster, release="2.0.0", config_map=FLAGS)
        return build.story_of(observed.story, self.options(), self.wall())

    def face(self, story: tells.Story) -> str:
        """All that a command may change but times."""
        record, flags = story.record, apply.observe_flags(self.cluster, FLAGS)
        phases = {name: phase.status for name, phase in record.phases.items()}
        ramp = (story.ramp["ramp"]["verdict"], story.ramp["action"])
        half = (record.facts.rollback_open, record.facts.restore_open)
        facts = (record.facts.decisions, half, story.lock["holder"])
        return repr(
            (record.attempt, record.status, phases, facts, flags.data, [*flags.annotations], ramp)
        )

    # --- what is done -------------------------------------------------------------------------------------------------

    def records(self) -> ReleaseStore:
        return ReleaseStore(self.cluster, "2.0.0", clock=self.clock)

    def record(self) -> Record:
        return self.records().read() or Record()

    def change(self, **given: t.Any) -> None:
        change = RecordChange("2.0.0", "ann@here", self.now(), **given)
        self.records().change(change, check_mode=False)

    def roll(self, names: t.Iterable[str], version: str) -> None:
        for name in names:
            body = deployment(f"shop/{name}:{version}")
            body["metadata"]["name"] = name
            body["status"] = {"availableReplicas": body["spec"]["replicas"]}
            self.cluster.put("Deployment", body)

    def flags(self, wish: t.Callable[[t.Any], Wish]) -> None:
        apply.decide_flags(self.cluster, FLAGS, wish, check_mode=False)

    def kill(self, automatic: str = "", fence: int = 0) -> None:
        self.parts = ()
        switch = apply.KillSwitch(self.now(), "eve@there", "errors", bool(automatic), OFF)
        self.flags(lambda observed: kill_switch.plan_set(observed, switch, fence))

    def lease(self, **claim: t.Any) -> tuple[t.Any, int]:
        lock = self.locking(self.claim("bob", pid=next(self.pids), **claim))
        return lock, lock.hold().after.fence

    def ended(self, playbook: str, *phases: str, reason: str = "") -> None:
        """How a run of these phases came to its end in Slack, by the last of them when it failed."""
        began = epoch(self.now()) or 0.0
        release = headline.Release("EasyMO v2.0", playbook, plan=Plan.read(PLAN))
        run = headline.ReleaseStatus(release, began)
        for phase in phases or ("",):
            run.begin(terminal.PlayBegun(phase, phase, ("localhost",)), began)
        if reason:
            run.failed(terminal.RunFailure("localhost", "No.", reason=reason))
        run.record_seen(self.record())
        run.close(began, "failed" if reason else "done")
        self.last_run = run

    def deploy(self, *tags: str, dies: str = "", waived: str = "") -> None:
        """As the playbooks do it. `dies`: the phase in which the run is killed."""
        lock, fence = self.lease()
        self.parts = ()
        for phase in tags or PHASES:
            lock.hold(fence=fence)
            if phase in CHANGING and self.window is not ALWAYS and not self.opens():
                lock.free()
                raise DeployError("the launch window is closed")
            waivers = {waived: Waiver("Jane", "hotfix")} if waived else {}
            order = PhaseOrder(PHASES, flags=FLAGS, waivers=waivers)
            self.change(phase=phase, phase_status="running", order=order, fence=fence)
            if phase == (tags or PHASES)[0]:
                pinned: t.Any = {"deployments": (), "config_maps": (FLAGS,)}
                self.records().pins.add(self.record().attempt, list, **pinned, check_mode=False)
            self.clock.sleep(20)
            if phase == dies:
                return
            reason, evidence = self.work(phase, fence)
            status = "failed" if reason else "done"
            if reason:
                failure = {"task": "x", "message": "It did not work.", "reason": reason}
                evidence = {**evidence, "failures": {"localhost": failure}}
            self.change(phase=phase, phase_status=status, evidence=evidence, fence=fence)
            if reason:
                break
            if phase == PHASES[-1]:
                self.change(status="done", fence=fence)
        through = tags or PHASES
        self.ended("deploy.yml", *through[: through.index(phase) + 1], reason=reason)
        lock.free()

    def opens(self) -> bool:
        return _window.outlook(_window.read_window(self.window), self.wall()).open

    def work(self, phase: str, fence: int) -> tuple[str, dict[str, t.Any]]:
        """The reason of a failure, and evidence."""
        evidence: dict[str, t.Any] = {}
        if phase == "microservices":
            self.roll(SERVICES[:1] if phase == self.broken else SERVICES, "v2.0.0")
        if phase == "feature_flags":
            rule = apply.RESET_AUTOMATIC
            self.flags(lambda observed: apply.wish_under(rule, observed, ON, fence=fence))
            after = {**apply.observe_flags(self.cluster, FLAGS).data}
            evidence = {"flags": {"asked": ON, "after": after}}
        off = apply.observe_flags(self.cluster, FLAGS).data[SWITCH] == "false"
        if phase in ("smoke_tests", "sign_off") and off:
            raise DeployError("the feature is off")
        if phase == self.unclear:
            return self.watch() if phase == "monitoring" else (HoldError.reason, {})
        if phase == self.broken and phase in SWITCHES_OFF:
            self.kill("automatic", fence)
        return ("VerificationFailed" if phase == self.broken else ""), evidence

    def watch(self) -> tuple[str, dict[str, t.Any]]:
        at = epoch(self.now()) or 0.0
        memory = store.ReleaseMemory(
            self.cluster, "2.0.0", "monitoring", report=self.reports.append, wall=lambda: at
        )
        known = memory.recall(WATCH)
        if known and memory.decision_on(known):
            return "", {"decision": {"decision": "approve"}}
        watched = known or state.begin([METRIC], at)
        memory.keep(replace(watched, held=5.0, held_why=("m has no data",)))
        return HoldError.reason, {"decision": {}}

    def rollback(self, dies: str = "") -> None:
        request = {"by": "", "reason": "errors", "parts": ["all"], "deployments": []}
        with mock.patch.object(_rollback, "utc_now", self.now):
            _rollback.RollbackRecord(self.module(fence=0, **request), self.cluster).begin()
        self.clock.sleep(5)
        self.kill("automatic")
        lock, fence = self.lease(purpose=UNDO)
        if dies:
            return
        if self.broken != "rollback":
            self.roll(SERVICES, BEFORE)
        self.verify("all")
        if self.broken != "rollback":
            ended = {"rollback_asked": {"open": False}}
            self.change(status="rolled_back", facts=ended, fence=fence)
            for phase in ("microservices", "feature_flags", "edge_functions"):
                self.back(phase)
        self.ended("rollback.yml", reason="Stuck" if self.broken == "rollback" else "")
        lock.free()

    def verify(self, part: str) -> None:
        """What a rollback has brought back, as its playbook looks at it before it announces the end."""
        off = apply.observe_flags(self.cluster, FLAGS).data[SWITCH] == "false"
        pods = (
            {"consumers": {"agent-core": {"pods": [{}]}}}
            if off
            else {"failed": True, "reason": DIFFERS}
        )
        services = (self.pins, observe_standings(self.cluster, None))
        rows = verification(
            {"results": []}, pods, *(services if part in ("all", "services") else ())
        )
        self.change(facts={"rollback_verified": rows})
        self.parts = (part,)

    def module(self, **params: t.Any) -> t.Any:
        params = {"name": "2.0.0", "actor": "bob", "lock": None, **params}
        reports: t.Any = {"warn": self.reports.append, "progress": lambda *_report: None}
        return SimpleNamespace(params=params, check_mode=False, _diff=False, **reports)

    def restore(self, ends: str = "") -> None:
        """`ends`: dies, or fails."""
        lock, fence = self.lease(purpose=UNDO)
        self.full = ends == "fails"
        ended = [{"host": "db", "restored": {"failed": self.full, "msg": "It is full."}}]
        words = {"by": "Jane", "reason": "it's wrong", "parts": ["database"], "deployments": []}
        with mock.patch.object(_rollback, "utc_now", self.now):
            module = self.module(fence=fence, ended=ended, tests={}, **words)
            noted = _rollback.RollbackRecord(module, self.cluster)
            noted.begin()
            self.kill("automatic")
            self.clock.sleep(5)
            if ends == "dies":
                return
            self.restored = "failed" if noted.end_restore()["causes"] else "done"
        if self.restored == "done":
            self.back("database")
        lock.free()

    def step(self, **given: t.Any) -> t.Any:
        """A task of the module feature_ramp, and what it says of where the percentage was and is then."""
        spec = feature_ramp.module_spec()["argument_spec"]
        params = {name: option.get("default") for name, option in spec.items()} | {
            "name": FLAGS,
            "flag": PERCENTAGE,
            "enabled_by": SWITCH,
            "release": "2.0.0",
            "schedule": [asdict(step) for step in SCHEDULE.steps],
            "watch_duration": SCHEDULE.watch.total_seconds(),
        }
        before, ours = self.percentage(), functools.partial(ramping.Ramp, wall=self.wall)
        there: t.Any = {"cluster_for": lambda _module: self.cluster, "utc_now": self.now}
        with mock.patch.multiple(_ramp_step, Ramp=ours, **there):
            result = _ramp_step.RampTask(self.module(**params | given)).run()
        if result["news"]:
            self.moved.append((before, self.percentage(), result["news"]))
        return result

    def step_up(self, how: str = "") -> None:
        """`how`: the verdict on the step, or the options with which a person releases the last one."""
        (lock, fence), reason = self.lease(), how.capitalize() if how in (HOLD, ROLLBACK) else ""
        words = {"release_reason": f"at {fence}", "released_by": "Jane"} if "reason" in how else {}
        result = self.step(fence=fence, **words)
        if result["action"] in ("raise", "watch"):
            found = {"verdict": reason.lower() or PROCEED, "verdict_reasons": ["x"], "fence": fence}
            since, percentage = result["ramp"]["since"], result["percentage"]
            self.step(state="judged", percentage=percentage, since=since, **found)
        self.ended("ramp.yml", reason=reason)
        lock.free()

    def guard(self, alert: str = "") -> None:
        """A look of the guard while this alert fires."""
        names = {"errors": ramp_world.ERRORS, "down": ramp_world.DOWN, "": "nothing"}
        self.monitoring.firing = {names[alert]: self.wall().timestamp()}
        guard = ramp_world.guard_of(self.cluster, self.monitoring, self.wall, "guard@here")
        before, memory = self.percentage(), MemoryStore(self.records(), 1)
        look = guard.look(self.record(), memory, check_mode=False)
        news = {entry.key: entry.text for entry in look.news if entry.key not in self.heard}
        self.moved += [(before, self.percentage(), text) for text in news.values()]
        self.heard |= {*news}

    def calm(self) -> None:
        for _minute in range(14):
            self.rest("60")
            self.guard()

    def type(self, step: PlaybookRun) -> None:
        """Carries a step out. What it has to wait for is over."""
        if step.after:
            day, hour, _zone = [*step.after.removeprefix("not before ").split(" "), "", ""][:3]
            at = parse_time(f"{day}T{hour}Z") or OPENS
            self.clock.sleep((at - self.wall()).total_seconds())
        if (
            "fixing the cause" in step.why
            or "answering" in step.why
            or step.playbook == "rollback.yml"
        ):
            self.broken = self.unclear = ""
        if step.playbook == "status.yml":
            with contextlib.suppress(DeployError):
                self.free()
                self.deploy(*self.going)
            self.free()
        else:
            does = {"deploy.yml": self.deploy, "rollback.yml": self.rollback, "decide.yml": self.decide,
                    "kill_switch.yml": self.reset}  # fmt: skip
            if "database" in step.tags and step.playbook == "rollback.yml":
                self.restore()
                return
            if step.playbook == "ramp.yml":
                self.step_up(step.options)
            else:
                does[step.playbook](*step.tags)

    # --- a word each --------------------------------------------------------------------------------------------------

    def sign(self) -> None:
        self.change(status="planned", facts={"sign_offs": {"qa": {"by": "Jane"}}})

    def fail(self, phase: str) -> None:
        self.broken = phase
        self.deploy()

    def hold(self, phase: str) -> None:
        self.unclear = phase
        self.deploy()

    def until(self, phase: str) -> None:
        self.deploy(*PHASES[: PHASES.index(phase) + 1])

    def run(self, phase: str) -> None:
        self.deploy(dies=phase)
        self.going = PHASES[PHASES.index(phase) :]

    def rest(self, seconds: str) -> None:
        self.clock.sleep(float(seconds))

    def free(self) -> None:
        self.locking(self.claim("any")).free(force=True)

    def decide(self) -> None:
        made = Act(
            gate="monitoring", decision="approve", by="Jane", reason="as always", at=self.now()
        )
        assert store.record_decision(self.cluster, "2.0.0", made, check_mode=False)["changed"]

    def reset(self) -> None:
        self.flags(kill_switch.plan_reset)

    def stuck(self) -> None:
        self.broken = "rollback"
        self.rollback()

    def again(self, phase: str) -> None:
        self.broken = ""
        self.deploy(phase)

    def alone(self, phase: str) -> None:
        """A rollback of one part."""
        if phase == "microservices":
            self.roll(SERVICES, BEFORE)
        self.verify(PARTS.get(phase, phase))
        self.back(phase)
        self.ended("rollback.yml")

    def back(self, phase: str) -> None:
        self.change(phase=phase, phase_status="rolled_back")

    def waive(self, phase: str) -> None:
        self.deploy(PHASES[PHASES.index(phase) + 1], waived=phase)

    def percent(self, value: str) -> None:
        self.flags(lambda _observed: Wish({PERCENTAGE: value}))

    def closed(self) -> None:
        self.window = AFTERNOON

    def frozen(self) -> None:
        self.freeze(by="the CFO", reason="the year ends")

    def locked(self) -> None:
        self.free()
        self.locking(self.claim("ann", manual=True, duration=0)).hold()


def stands(words: str) -> World:
    world = World()
    for word in words.split():
        world.moved, world.last_run = [], None
        name, _colon, argument = word.partition(":")
        getattr(world, name)(*filter(None, [argument]))
    return world


def left(phase: str) -> str:
    return f"deploy.yml --tags {','.join(PHASES[PHASES.index(phase) :])}"


FOLLOW = "status.yml -e follow=true"
RESET = "kill_switch.yml -e reset=true -e \"reason='WHY'\""
DECIDE = "decide.yml -e decision=approve -e by=$USER -e \"reason='WHY'\""
RELEASE = "ramp.yml -e ramp_release=true -e \"reason='WHY'\" -e by=$USER"
RESTORE = """rollback.yml --tags database -e '{"by": "Jane", "reason": "it'"'"'s wrong"}'"""
UP = "rest:172800 step_up"
FLAGS_AND = "deploy.yml --tags feature_flags,"
STATES: dict[str, str] = {
    "": "deploy.yml",
    "sign": "deploy.yml",
    "fail:preflight": "deploy.yml",
    "run:preflight rest:120": "deploy.yml",
    **{f"fail:{phase}": left(phase) for phase in PHASES[1:5]},
    **{f"run:{phase} rest:120": left(phase) for phase in PHASES[1:]},
    **{f"run:{phase}": FOLLOW for phase in PHASES},
    **{f"until:{phase}": left(PHASES[n]) for n, phase in enumerate(PHASES[:-1], start=1)},
    "fail:smoke_tests": f"{FLAGS_AND}smoke_tests,monitoring,sign_off",
    "fail:monitoring": f"{FLAGS_AND}monitoring,sign_off",
    "fail:sign_off": left("sign_off"),
    "run:database rest:120 free": left("database"),
    "hold:preflight": "deploy.yml",
    "hold:smoke_tests": left("smoke_tests"),
    "hold:monitoring": DECIDE,
    "hold:monitoring decide": left("monitoring"),
    "until:database waive:edge_functions": left("feature_flags"),
    "until:edge_functions waive:microservices again:smoke_tests again:monitoring again:sign_off": "ramp.yml not before",
    "deploy": "ramp.yml not before",
    f"deploy {UP}": "ramp.yml not before",
    f"deploy {UP}:{HOLD}": RELEASE,
    f"deploy {UP}:{HOLD} step_up:reason": "ramp.yml not before",
    f"deploy {UP}:{ROLLBACK}": "ramp.yml",
    f"deploy {UP}:{ROLLBACK} step_up:{ROLLBACK}": RELEASE,
    f"deploy {UP} guard:errors": "ramp.yml",
    f"deploy {UP} guard:errors calm": "ramp.yml",
    f"deploy {UP} guard:down": RESET,
    "deploy guard:errors": RELEASE,
    "deploy percent:3": "the operator of the release",
    "deploy kill": RESET,
    "deploy kill:automatic": RESET,
    "deploy kill reset": "deploy.yml --tags feature_flags",
    "fail:smoke_tests kill": RESET,
    "deploy rollback:dies rest:120": "rollback.yml",
    "deploy rollback:dies rest:120 free": "rollback.yml",
    "fail:smoke_tests rollback:dies rest:120 free": "rollback.yml",
    "deploy stuck": "rollback.yml",
    "deploy kill stuck": "rollback.yml",
    "fail:smoke_tests stuck rest:5 again:feature_flags again:smoke_tests": left("monitoring"),
    "deploy restore:dies rest:120": RESTORE,
    "deploy restore:dies rest:120 free": RESTORE,
    "deploy rollback restore:dies rest:120 free": RESTORE,
    "deploy restore": RESET,
    "deploy restore:fails": RESTORE,
    "deploy rollback": "deploy.yml",
    "deploy kill rollback": RESET,
    "deploy rollback rest:5 deploy": "ramp.yml not before",
    "deploy rollback rest:5 again:preflight again:database": left("edge_functions"),
    "deploy alone:microservices": "deploy.yml --tags microservices",
    "fail:monitoring alone:edge_functions": "deploy.yml --tags edge_functions,feature_flags,monitoring,sign_off",
}
LIKE_OTHERS = ("run:", "until:")
FEWER = {words: step for words, step in STATES.items() if not words.startswith(LIKE_OTHERS)}
FEWER |= {
    words: STATES[words]
    for words in ("run:database rest:120", "run:feature_flags", "run:smoke_tests", "until:database")
}
