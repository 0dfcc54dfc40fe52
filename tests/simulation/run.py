# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan carried out from beginning to end, with every invariant looked at after every step."""

from __future__ import annotations

import gc
import typing as t
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter

from . import substitutes
from .functions import Project
from .invariants import LIVENESS, NO_SURPRISE, Invariants
from .plan import AGAIN, Actor, Plan
from .platform import settle
from .scheduler import OutOfStepsError, Process
from .scripts import COMMANDS, Script, StopError
from .stores import Stores
from .tasks import Did, Tasks, flow_of, misplaced
from .totals import DONE, FAILED, KILLED
from .world import World

HOUR = 3600.0
_OVER = attrgetter("over")
_ACTING = substitutes.install()
gc.freeze()  # what is imported stays: no collection need look at it


@dataclass
class Outcome:
    plan: Plan
    violations: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    requests: int = 0
    took: float = 0.0
    """Of virtual time, in seconds."""
    befell: Counter[str] = field(default_factory=Counter)
    """Faults by their kind."""
    scripts: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    """How often each ended how, as `NAME|ENDING`."""
    after_loss: dict[str, float] = field(default_factory=dict)
    checked: t.Mapping[str, int] = field(default_factory=dict)
    """How often something was there to be compared, by the invariant."""


@contextmanager
def _uncollected() -> t.Iterator[None]:
    """A world goes with its last reference; what is in circles waits for the end of the run."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_uncollected()
def run(plan: Plan) -> Outcome:
    outcome = Outcome(plan)
    world = World(plan, outcome.lines.append)
    if plan.stores:
        world.stores = Stores(world)
    if plan.functions:
        world.project = Project(world)
    invariants = Invariants(world)
    settle(world)
    invariants.history.begin()
    world.observers.append(invariants.requested)
    operators = [Operator(world, actor, invariants, outcome) for actor in plan.actors]
    violations = invariants.violations
    violations = invariants.violations
    start = world.began = world.scheduler.now
    for operator in operators:
        world.scheduler.at(start + operator.actor.begins, operator.begin)
    if world.nodes is not None:
        world.nodes.begin(plan.outages)
    try:
        world.scheduler.run(
            until=start + 4 * HOUR,
            rested=lambda: bool(violations) or all(map(_OVER, operators)),
        )
        if not invariants.violations:
            for operator in operators:
                invariants.history.check(
                    LIVENESS, operator.over, f"{operator.actor.name} did not end in four hours"
                )
            # Pods and leases come to rest.
            world.scheduler.run(until=world.scheduler.now + 900.0, rested=lambda: bool(violations))
            if not invariants.violations:
                invariants.at_the_end()
        if not invariants.violations:
            _take_the_lock(world, invariants, outcome)
    except OutOfStepsError:
        invariants.history.check(LIVENESS, False, "the world does not come to rest")
    outcome.violations = invariants.violations
    outcome.requests = world.requests
    outcome.befell.update(fault.kind for fault in world.befell)
    outcome.after_loss = invariants.lock.after_loss
    outcome.checked = invariants.history.checked
    outcome.took = world.scheduler.now - start
    if world.stores is not None:
        outcome.requests += world.stores.databases.statements
        world.stores.close()
    world.close()
    return outcome


def _take_the_lock(world: World, invariants: Invariants, outcome: Outcome) -> None:
    """By somebody who comes when all is over."""
    last = Operator(
        world, Actor("last", "last", 0.0, "laptop-2", {"wait": 400}), invariants, outcome
    )
    invariants.lock.check_keepers()
    last.begin()
    world.scheduler.run(
        until=world.scheduler.now + 900.0, rested=lambda: last.over or bool(invariants.violations)
    )
    invariants.lock.check_free(last.done)


class Operator:
    """Somebody who gives one command, and gives it again when the run was killed."""

    def __init__(
        self, world: World, actor: Actor, invariants: Invariants, outcome: Outcome
    ) -> None:
        self._world = world
        self._outcome = outcome
        self._doing = ""
        self.actor = actor
        self._invariants = invariants
        self._runs = 0
        self.over = False
        self.done = False

    def begin(self) -> None:
        self._runs += 1
        self._invariants.began(self.actor.name)
        process = self._world.start(
            self.actor.name,
            self.actor.machine,
            self._work,
            rate=self.actor.rate,
            ahead=self.actor.ahead,
        )
        process.killed = self._killed

    def _killed(self) -> None:
        self._count(KILLED)
        self._invariants.ended(self.actor.name)
        if self._doing:
            self._outcome.tasks[f"{self._doing}|{KILLED}"] += 1
            self._doing = ""
        if self.actor.times == 1 and self.actor.resumes and self._runs < 3:
            self._world.scheduler.at(self._world.scheduler.now + self.actor.resumes, self.begin)
        else:
            self._ended()

    def _ended(self) -> None:
        """Who gives a command every minute gives it again."""
        if self._runs < self.actor.times:
            self._world.scheduler.at(self._world.scheduler.now + self.actor.every, self.begin)
        else:
            self.over = True

    def _count(self, how: str) -> None:
        self._outcome.scripts[f"{self.actor.script}|{how}"] += 1

    def _task_begun(self, where: str, module: str, params: t.Mapping[str, t.Any]) -> None:
        self._doing = where
        self._invariants.history.begun(self.actor.name, module, params)

    def _task_ended(self, process: Process, did: Did, *, check: bool) -> None:
        self._doing = ""
        self._outcome.tasks[f"{did.where}|{FAILED if did.failed else DONE}"] += 1
        if not check:
            self._invariants.claimed(process, did)

    def _work(self) -> None:
        world, name, invariants = self._world, self.actor.name, self._invariants
        process = world.scheduler.step.process
        tasks = Tasks(
            _ACTING,
            lambda text: world.say(f"{name}: {text}"),
            lambda: world.scheduler.now,
            self._task_begun,
            lambda did, check: self._task_ended(process, did, check=check),
            lambda text: invariants.history.check(NO_SURPRISE, False, text),
        )
        script = Script(world, self.actor, tasks)
        command = COMMANDS[self.actor.script]
        try:
            command.act(script)
            self.done = True
            self._count(DONE)
            invariants.done(self.actor.script)
            world.say(f"{name}: done")
        except StopError as exc:
            self._count(FAILED)
            world.say(f"{name}: stopped: {exc}")
            if self.actor.name == AGAIN:
                invariants.ended_again(str(exc))
            else:
                invariants.stopped(self.actor, str(exc))
        else:
            if self.actor.name == AGAIN:
                invariants.ended_again("")
        flow = flow_of(*command.playbooks)
        wrong = misplaced(tasks.done, flow) if flow else ""
        if wrong:
            raise AssertionError(f"{self.actor.script}: {wrong!r} is not where its playbook has it")
        invariants.ended(name)
        self._ended()
