"""One plan carried out from beginning to end, with every invariant looked at after every step."""

import gc
import typing as t
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from . import substitutes
from .functions import Project
from .invariants import Invariants
from .invariants.history import History
from .looks import look_at
from .plan import AGAIN, PAUSE_AFTER, PAUSE_BEFORE, Actor, Plan
from .platform import VERSION, settle
from .scheduler import OutOfStepsError
from .scripts import COMMANDS, PLAY, Script, StopError
from .scripts.script import phases_of
from .stores import Stores
from .tasks import Tasks
from .world import Request, World

HOUR = 3600.0
LOOKS = frozenset({20, 60, 150, 400, 1000})
"""Requests after which status and page are looked at."""
_OVER = attrgetter("over")
ACTING = substitutes.install()
gc.freeze()  # what is imported stays: no collection need look at it


@dataclass
class Outcome:
    plan: Plan
    violations: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    requests: int = 0
    faults: int = 0
    checked: t.Mapping[str, int] = field(default_factory=dict)
    """How often something was there to be compared, by the invariant."""


@contextmanager
def uncollected() -> t.Iterator[None]:
    """A world goes with its last reference; what is in circles waits for the end of the run."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@uncollected()
def run(plan: Plan) -> Outcome:
    with closing(Running(plan)) as running:
        running.go()
        return running.end()


class Running:
    """A plan that is carried out."""

    def __init__(self, plan: Plan) -> None:
        self._outcome = Outcome(plan)
        self.world = world = World(plan, self._outcome.lines.append)
        if plan.stores:
            world.stores = Stores(world)
        if plan.functions:
            world.project = Project(world)
        self._invariants = Invariants(world)
        settle(world)
        self._invariants.history.begin()
        world.observers += [self._invariants.requested, self._look_now_and_then]
        self._operators = [Operator(world, actor, self._invariants) for actor in plan.actors]
        began = world.began = world.scheduler.now
        for operator in self._operators:
            world.scheduler.at(began + operator.actor.begins, operator.begin)
        for begins, seconds in plan.downtimes:
            world.scheduler.at(began + begins, partial(world.go_down, seconds))
        if world.nodes is not None:
            world.nodes.begin(plan.outages)

    @property
    def history(self) -> History:
        return self._invariants.history

    def go(self) -> None:
        """Until its operators are done."""
        try:
            self.world.scheduler.run(until=self.world.began + 4 * HOUR, rested=self._is_over)
        except OutOfStepsError:
            self._invariants.history.check("liveness", False, "the world does not come to rest")

    def end(self) -> Outcome:
        """Let the world come to rest, and look at it once more."""
        world, violations = self.world, self._invariants.violations
        try:
            if not violations:
                for operator in self._operators:
                    self._invariants.history.check(
                        "liveness",
                        operator.over,
                        f"{operator.actor.name} did not end in four hours",
                    )
                # Pods and leases do, and keepers that stand still go on.
                pauses = sum(
                    one.seconds
                    for one in world.plan.faults
                    if one.kind in (PAUSE_BEFORE, PAUSE_AFTER)
                )
                world.scheduler.run(
                    until=world.scheduler.now + 900.0 + pauses, rested=lambda: bool(violations)
                )
                if not violations:
                    self._invariants.at_the_end()
                    self._look()
            if not violations:
                _take_the_lock(world, self._invariants)
        except OutOfStepsError:
            self._invariants.history.check("liveness", False, "the world does not come to rest")
        outcome = self.outcome()
        if world.stores is not None:
            outcome.requests += world.stores.databases.statements
        return outcome

    def _look_now_and_then(self, _request: Request) -> None:
        if self.world.requests in LOOKS:
            self._look()

    def _look(self) -> None:
        look = look_at(self.world, VERSION, self.world.phases or phases_of(self.world.plan))
        self._invariants.channels.look(look)

    def close(self) -> None:
        if self.world.stores is not None:
            self.world.stores.close()
        self.world.close()

    def outcome(self) -> Outcome:
        """As it is now."""
        world, outcome = self.world, self._outcome
        outcome.violations = self._invariants.violations
        outcome.requests = world.requests
        # One that befalls all is counted once for each actor.
        outcome.faults = sum(bool(fault.actor) for fault in world.befell)
        outcome.checked = self._invariants.history.checked
        return outcome

    def go_on_with(self, plan: Plan) -> None:
        """One that differs in nothing that has happened already."""
        self._outcome.plan = plan
        self.world.go_on_with(plan)

    def _is_over(self) -> bool:
        return bool(self._invariants.violations) or all(map(_OVER, self._operators))


def _take_the_lock(world: World, invariants: Invariants) -> None:
    """By somebody who comes when all is over."""
    last = Operator(world, Actor("last", "last", 0.0, "laptop-2", {"wait": 400}), invariants)
    invariants.lock.check_keepers()
    last.begin()
    world.scheduler.run(
        until=world.scheduler.now + 900.0, rested=lambda: last.over or bool(invariants.violations)
    )
    invariants.lock.check_free(last.done)


class Operator:
    """Somebody who gives one command, and gives it again when the run was killed."""

    def __init__(self, world: World, actor: Actor, invariants: Invariants) -> None:
        self._world = world
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
        self._invariants.ended(self.actor.name)
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

    def _work(self) -> None:
        world, name, invariants = self._world, self.actor.name, self._invariants
        tasks = Tasks(ACTING, world, world.scheduler.step.process, invariants)
        script = Script(world, self.actor, tasks)
        command = COMMANDS[PLAY if "playbook" in self.actor.options else self.actor.script]
        why = ""
        try:
            command(script)
            self.done = True
            invariants.done(self.actor.script)
            world.say(f"{name}: done")
        except StopError as exc:
            why = str(exc)
            world.say(f"{name}: stopped: {why}")
            if name != AGAIN:
                invariants.stopped(self.actor, why)
        if name == AGAIN:
            invariants.ended_again(why)
        invariants.ended(name)
        self._ended()
