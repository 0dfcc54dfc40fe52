"""Each task of each playbook fails once, on the first, a middle and the last of its hosts, in each way that a task can.

A case is a run of a scenario, what that run's screen says next, and the same command again when all is well. What was
run is the list: no task is left out.
"""

from __future__ import annotations

import typing as t
from contextlib import closing
from dataclasses import dataclass, field

from .. import plan
from ..kubelet import CRASHES
from ..plan import AGAIN, AT_LAST, Actor, Fault, Plan
from ..platform import (
    BREACH,
    FLAGS,
    FLAGS_BEFORE,
    FLAGS_ON,
    OLD,
    PERCENTAGE,
    SWITCH,
    VERSION,
    image_of,
)
from ..run import Running
from .engine import FAILED
from .playing import PLAY, Task, typed

if t.TYPE_CHECKING:
    from ..invariants.history import History
    from ..world import World

TARGET, NEXT = "target", "next"
BEGINS, GOES_ON = 3_000.0, 6_000.0
"""When the run begins in which a task fails, and who types what its screen says."""
WAYS: t.Mapping[str, tuple[str, str, float]] = {
    "refused": (plan.TASK, plan.REFUSED, 0.0),
    "timed out": (plan.CALL, plan.SLOW, 90.0),
    "lost before": (plan.CALL, plan.LOST, 0.0),
    "lost after": (plan.WRITE, plan.ANSWER_LOST, 0.0),
    "killed before": (plan.BEGINS, plan.KILL_BEFORE, 0.0),
    "killed after": (plan.ENDS, plan.KILL_AFTER, 0.0),
}
"""By its name, what it befalls, how and for how many seconds."""
SERVICES = {"agent-core": 2, "wallet-service": 1, "mailer": 1}
BY = ("-e", "by=Jane", "-e", "reason='it was looked at'")


@dataclass(frozen=True)
class Scenario:
    """`before`: what was run without trouble until then. `wrong_about`: what is not as it is when all is done."""

    name: str
    playbook: str
    arguments: tuple[str, ...]
    wrong_about: t.Callable[[History], list[str]]
    before: tuple[tuple[str, tuple[str, ...]], ...] = ()
    world: t.Mapping[str, t.Any] = field(default_factory=dict)
    again: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What is run last; the same command where it is empty."""
    ends: int = 0
    """The exit code of that run without a fault, for what it meets in its world."""
    last: int = 0
    """The same of the last one."""

    def plan_of(self, *faults: Fault, goes_on: bool = True) -> Plan:
        """`goes_on`: with what follows that run."""
        options = {"playbook": self.playbook, "arguments": self.arguments}
        actors = [
            Actor(f"before-{n}", PLAY, n * 900.0, "laptop-1", {"playbook": name, "arguments": arguments})
            for n, (name, arguments) in enumerate(self.before)
        ]  # fmt: skip
        actors.append(Actor(TARGET, PLAY, BEGINS, "laptop-1", options))
        if goes_on:
            typed_next = {**options, "next": TARGET}
            actors.append(Actor(NEXT, PLAY, GOES_ON, "laptop-1", typed_next))
            # Of one that fails again, no sentence says that it leads to an end.
            name = "once more" if self.last else AGAIN
            actors.append(Actor(name, PLAY, AT_LAST, "laptop-1", self.again or options))
        return Plan(0, SERVICES, tuple(actors), faults, **self.world)


class Case(t.NamedTuple):
    scenario: Scenario
    task: Task
    way: str

    @property
    def fault(self) -> Fault | None:
        """None where the task makes no such call."""
        (of, kind, seconds), task = WAYS[self.way], self.task
        nth = task.nth
        if of in (plan.CALL, plan.WRITE):
            if task.after[of] == task.before[of]:
                return None
            nth = task.before[of] + 1
        return Fault(TARGET, kind, f"{of} in {task.place}", nth, seconds)

    def __str__(self) -> str:
        return f"{self.scenario.name}: {self.task.place} {self.task.nth}, {self.way}"


def deployed(history: History) -> list[str]:
    """What is not as a release leaves it that is done."""
    record, planned = history.record(VERSION), history.world.plan
    wrong = [
        f"{name} is {status}"
        for name, phase in record.get("phases", {}).items()
        if (status := phase["status"]) != "done"
    ]
    wrong += ["" if record.get("status") == "done" else f"the release is {record.get('status')}"]
    for name in planned.services:
        if image_at(history, name) != image_of(name, VERSION, planned):
            wrong.append(f"{name} runs {image_at(history, name)}")
    wrong += _flags_but(history, FLAGS_ON[VERSION])
    if (stores := history.world.stores) is not None:
        wrong += [f"{name} lacks migrations" for name in planned.stores if stores.pending(name)]
    return [one for one in wrong if one]


def image_at(history: History, service: str) -> str:
    body = history.find("deployments", service) or {}
    return str(body["spec"]["template"]["spec"]["containers"][0]["image"])


def rolled_back(history: History) -> list[str]:
    """What is not as a rollback leaves it."""
    record, planned = history.record(VERSION), history.world.plan
    wrong = [] if record["status"] == "rolled_back" else [f"the release is {record['status']}"]
    for name in planned.services:
        if image_at(history, name) != image_of(name, OLD, planned):
            wrong.append(f"{name} runs {image_at(history, name)}")
    return [*wrong, *_flags_but(history, FLAGS_BEFORE)]


def _flags_but(history: History, values: t.Mapping[str, t.Any]) -> list[str]:
    flags = (history.find("configmaps", FLAGS) or {})["data"]
    return [
        f"{name} is {flags.get(name)}"
        for name, value in values.items()
        if flags.get(name) != str(value).lower()
    ]


def off(history: History) -> list[str]:
    return _flags_but(history, {SWITCH: False, PERCENTAGE: 0})


def on(history: History) -> list[str]:
    return _flags_but(history, {SWITCH: True})


def undone(history: History) -> list[str]:
    """Of a release of which one service cannot run."""
    return _after_a_bad_image(history, lambda name: OLD if name == BAD else VERSION)


def all_undone(history: History) -> list[str]:
    return _after_a_bad_image(history, lambda _name: OLD)


def left(history: History) -> list[str]:
    return _after_a_bad_image(history, lambda _name: VERSION)


def _after_a_bad_image(history: History, version_of: t.Callable[[str], str]) -> list[str]:
    planned, phase = history.world.plan, history.record(VERSION)["phases"]["microservices"]
    wrong = [] if phase["status"] == "failed" else [f"the phase is {phase['status']}"]
    return wrong + [
        f"{name} runs {image_at(history, name)}"
        for name in planned.services
        if image_at(history, name) != image_of(name, version_of(name), planned)
    ]


def as_it_was(_history: History) -> list[str]:
    """Of what only looks."""
    return []


def _policy(name: str) -> tuple[str, ...]:
    return "-e", f"release_rollback_policy={name}"


DEPLOYED = (("deploy", ()),)
SWITCHED_OFF = (*DEPLOYED, ("kill_switch", BY))
WATCHED: t.Mapping[str, t.Any] = {"watched": True}
BAD = "mailer"
"""Of the last wave."""
ILL: t.Mapping[str, t.Any] = {"bad_images": {BAD: CRASHES}}
BREACHED: t.Mapping[str, t.Any] = {"watched": True, "metric": ((0.0, GOES_ON - 60.0, 2 * BREACH),)}
WHOLE: t.Mapping[str, t.Any] = {
    "complete": True,
    "stores": {"platform": "supabase", "agent_core": "prisma"},
    "functions": {"wa-webhook": "old", "receipts": "absent"},
}
SCENARIOS = {
    one.name: one
    for one in (
        Scenario("deploy", "deploy", (), deployed, world=WATCHED),
        Scenario("whole", "deploy", (), deployed, world=WHOLE),
        Scenario("undone", "deploy", (), undone, world=ILL, ends=2, last=2),
        Scenario(
            "all undone", "deploy", _policy("undo_release"), all_undone, world=ILL, ends=2, last=2
        ),
        Scenario("left", "deploy", _policy("hold"), left, world=ILL, ends=2, last=2),
        Scenario("breach", "deploy", (), deployed, world=BREACHED, ends=2),
        Scenario("rollback", "rollback", BY, rolled_back, DEPLOYED),
        Scenario("switch", "kill_switch", BY, off, DEPLOYED),
        Scenario("reset", "kill_switch", (*BY, "-e", "reset=true"), as_it_was, SWITCHED_OFF),
        Scenario("ramp", "ramp", (), on, DEPLOYED),
        Scenario("guard", "guard", (), on, DEPLOYED),
        Scenario("lock", "lock", BY, as_it_was, DEPLOYED, again={"playbook": "unlock"}),
        Scenario("unlock", "unlock", (), as_it_was, (("lock", BY),)),
        Scenario("status", "status", (), as_it_was, DEPLOYED),
        Scenario("report", "report", (), as_it_was, DEPLOYED),
        Scenario("diagnose", "diagnose", (), as_it_was, DEPLOYED),
    )
}


def tasks_of(scenario: Scenario) -> list[Task]:
    """Those that a run of it has, in their order. Raises RuntimeError where that run does not end well."""
    with closing(Running(scenario.plan_of(goes_on=False))) as running:
        running.go()
        outcome = running.end()
        code = running.world.codes.get(TARGET)
        if outcome.violations or code != scenario.ends:
            raise RuntimeError(f"{scenario.name} ends with {code}: {outcome.violations}")
        return [task for by, task in running.world.tasks if by == TARGET]


def cases_of(scenario: Scenario) -> list[Case]:
    chosen: dict[tuple[str, int], list[Task]] = {}
    for task in tasks_of(scenario):
        chosen.setdefault((task.name, task.nth), []).append(task)
    cases = [
        Case(scenario, task, way)
        for tasks in chosen.values()
        for task in {id(one): one for one in (tasks[0], tasks[len(tasks) // 2], tasks[-1])}.values()
        for way in WAYS
    ]
    return [case for case in cases if case.fault]


def tried(case: Case) -> tuple[list[str], list[str]]:
    """What is wrong with a case, and its log."""
    assert case.fault
    with closing(Running(case.scenario.plan_of(case.fault))) as running:
        running.go()
        outcome = running.end()
        world = running.world
        wrong = [*outcome.violations, *wrong_about(world, case)]
        if not outcome.violations:
            wrong += case.scenario.wrong_about(running.history)
        return wrong, outcome.lines


def wrong_about(world: World, case: Case) -> list[str]:
    """What is untrue of the run in which a task failed, and of those after it."""
    code, lines = world.codes.get(TARGET), world.screens.get(TARGET, [])
    text = " ".join(" ".join(lines).split())
    wrong = [] if world.befell else ["nothing befell it"]
    if code is None and not case.way.startswith("killed"):
        wrong.append("it has no exit code")
    if code == 0 and case.scenario.ends:
        wrong.append("it ends with 0")
    if code == 0 and "✗" in text:
        wrong.append("it ends with 0, and its screen has a failure")
    if code and ("✓ DEPLOYED" in text or " done in " in text):
        wrong.append("it failed, and its screen says done")
    if code and case.way == "refused" and not case.scenario.ends and FAILED not in text:
        wrong.append("its screen has no cause")
    if code and not typed(lines):
        wrong.append(f"its screen says nothing to type: {text[-300:]}")
    for name in (NEXT, AGAIN):
        if (after := world.codes.get(name)) and not case.scenario.last:
            wrong.append(f"{name} ended with {after}: {' '.join(world.screens[name][-12:])}")
    return wrong
