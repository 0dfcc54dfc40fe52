"""Each task of each playbook fails once, on the first, a middle and the last of its hosts, in each way that a task can.

A case is a run of a scenario, what that run's screen says next, and the same command again when all is well. What was
run is the list: no task is left out.
"""

from __future__ import annotations

import gc
import os
import pickle
import re
import traceback
import typing as t
from contextlib import closing

from .. import plan
from ..plan import AGAIN, Fault
from ..run import Outcome, Running, uncollected
from .engine import FAILED
from .playing import Task, typed
from .scenarios import NEXT, TARGET, Scenario

if t.TYPE_CHECKING:
    from ..postgres_server import Server
    from ..world import World

BEFORE = "killed before"
WAYS: t.Mapping[str, tuple[str, str, float]] = {
    "refused": (plan.TASK, plan.REFUSED, 0.0),
    "timed out": (plan.CALL, plan.SLOW, 90.0),
    "lost before": (plan.CALL, plan.LOST, 0.0),
    "lost after": (plan.WRITE, plan.ANSWER_LOST, 0.0),
    BEFORE: (plan.BEGINS, plan.KILL_BEFORE, 0.0),
    "killed after": (plan.ENDS, plan.KILL_AFTER, 0.0),
}
"""By its name, what it befalls, how and for how many seconds."""


STOPPED = re.compile(r"✗ STOPPED in [2-9]/.*? cause (.*) detail ")
TOLD = ("Keep the cause", "Page the engineer on call")
"""Without which nobody can be told."""


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


def tasks_of(scenario: Scenario) -> list[Task]:
    """Those that a run of it has, in their order. Raises RuntimeError where that run does not end well."""
    with closing(Running(scenario.plan_of(goes_on=False))) as running:
        running.go()
        outcome = running.end()
        code = running.world.codes.get(TARGET)
        wrong = [*outcome.violations]
        ends = scenario.ends == scenario.last and not scenario.again
        if stands := scenario.stands or (scenario.wrong_about if ends else None):
            wrong += stands(running.history)
        if wrong or code != scenario.ends:
            raise RuntimeError(f"{scenario.name} ends with {code}: {wrong}")
        return [task for by, task in running.world.tasks if by == TARGET]


def cases_of(scenarios: t.Iterable[Scenario]) -> list[Case]:
    """Of each scenario those from where it is another run than every scenario before it."""
    cases: list[Case] = []
    known: dict[t.Any, list[list[Task]]] = {}
    for scenario in scenarios:
        if not scenario.fails:
            continue
        tasks, others = tasks_of(scenario), known.setdefault(scenario.before, [])
        same = max((_same(tasks, other) for other in others), default=0)
        others.append(tasks)
        # The last that was the same may end otherwise.
        cases += _cases_of(scenario, tasks[max(0, same - 1) :])
    return cases


def _same(tasks: t.Sequence[Task], others: t.Sequence[Task]) -> int:
    """How many of their first tasks are the same, with all that they ask for."""
    pairs = zip(tasks, others, strict=False)
    return next(
        (n for n, pair in enumerate(pairs) if pair[0] != pair[1]), min(len(tasks), len(others))
    )


def _cases_of(scenario: Scenario, tasks: t.Sequence[Task]) -> t.Iterator[Case]:
    named: dict[tuple[str, int], list[int]] = {}
    for number, task in enumerate(tasks):
        named.setdefault((task.name, task.nth), []).append(number)
    chosen = {
        number
        for numbers in named.values()
        for number in (numbers[0], numbers[len(numbers) // 2], numbers[-1])
    }
    for number in sorted(chosen):
        # Nothing of the product runs between a task's end and the next one's beginning.
        ways = [way for way in WAYS if way != BEFORE or number - 1 not in chosen]
        cases = (Case(scenario, tasks[number], way) for way in ways)
        yield from (case for case in cases if case.fault)


Tried = tuple[Case, list[str], list[str]]
"""A case, what is wrong with it, and its log where that is asked for."""


def tried(cases: t.Sequence[Case], logged: bool = False) -> list[Tried]:
    """Of one scenario. Its run is forked where a task begins, so what led there is simulated once.

    Where somebody has a session in a database then, which no fork can have too, a case is a run from its beginning.
    """
    with uncollected(), closing(Running(cases[0].scenario.plan_of())) as running:
        forks = _Forks(running, cases)
        running.world.task_begins = forks.begin
        try:
            running.go()
            outcome = running.end()
        except BaseException:
            if forks.mine is not None:  # a fork never goes on as the process that it comes from
                forks.tell((forks.mine, [traceback.format_exc()], []))
            raise
        if forks.mine is not None:
            forks.tell(_told(_judged(running, outcome, forks.mine), logged))
    return forks.tried + [_told(_alone(case), logged) for case in forks.left]


def _told(case: Tried, logged: bool) -> Tried:
    """A log has thousands of lines."""
    return case if logged else (*case[:2], [])


class _Forks:
    """`mine`: the case that this process is, None in the one that forks."""

    mine: Case | None = None
    _server: Server | None = None

    def __init__(self, running: Running, cases: t.Sequence[Case]) -> None:
        self._running = running
        self._cases: dict[tuple[str, int], list[Case]] = {}
        for case in cases:
            self._cases.setdefault((case.task.place, case.task.nth), []).append(case)
        self.tried: list[Tried] = []
        self.left: list[Case] = []

    def begin(self, by: str, place: str, nth: int) -> None:
        """Called before each task. A fork for each case of it, one after the other."""
        stores, cases = self._running.world.stores, []
        if by == TARGET:
            cases = self._cases.pop((place, nth), [])
        if cases and stores and not stores.databases.can_be_copied():
            self.left += cases
            return
        for case in cases:
            reading, self._pipe = os.pipe()
            if not (pid := os.fork()):
                self.mine = case
                self._cases.clear()
                if stores:
                    self._server = stores.databases.copy_server()
                self._running.go_on_with(case.scenario.plan_of(*filter(None, [case.fault])))
                return
            os.close(self._pipe)
            with os.fdopen(reading, "rb") as pipe:
                judged = pipe.read()
            _pid, status = os.waitpid(pid, 0)
            ended = [f"its process ended with {status}"], []
            self.tried.append((case, *(pickle.loads(judged) if judged else ended)))

    def tell(self, judged: Tried) -> t.NoReturn:
        if self._server:
            self._server.stop()
        with os.fdopen(self._pipe, "wb") as pipe:
            pipe.write(pickle.dumps(judged[1:]))
        os._exit(0)


def _alone(case: Case) -> Tried:
    gc.collect()
    with (
        uncollected(),
        closing(Running(case.scenario.plan_of(*filter(None, [case.fault])))) as running,
    ):
        running.go()
        return _judged(running, running.end(), case)


def _judged(running: Running, outcome: Outcome, case: Case) -> Tried:
    wrong = [*outcome.violations, *wrong_about(running.world, case)]
    if not outcome.violations:
        wrong += case.scenario.wrong_about(running.history)
    return case, wrong, outcome.lines


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
    if code and not typed(lines, TARGET):
        wrong.append(f"its screen says nothing to type: {text[-300:]}")
    stopped, killed = STOPPED.search(text), case.way.startswith("killed")
    if stopped and FAILED not in stopped[1] and not (killed or case.task.name.endswith(TOLD)):
        wrong += [] if world.receivers.pages else ["a phase failed, and nobody is paged"]
    for name in (NEXT, AGAIN):
        if (after := world.codes.get(name)) and not case.scenario.last:
            wrong.append(f"{name} ended with {after}: {' '.join(world.screens[name][-12:])}")
    return wrong
