"""Several runs with one beginning: from a moment of a run on, other faults befall each of them.

Most of a run is spent on the way to where it is in trouble. So the process is forked there, and what led to it is
simulated once. Each branch is a whole run with a plan of its own, and that plan, carried out from the beginning, gives
the same run to the letter.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import sys
import time
import traceback
import typing as t
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

from .draws import other_faults
from .run import Running, uncollected
from .totals import Totals

if t.TYPE_CHECKING:
    from .plan import Plan
    from .run import Outcome

BRANCHINGS = ((0.4, 0.7, 4), (0.7, 0.95, 8))
"""Where a run branches, and each branch again: between these shares of its requests, into so many runs."""
SHORT = 40
"""Runs of fewer requests do not branch."""

_Points = t.Sequence[tuple[int, int]]
"""After how many requests a run branches, and in how many."""


class Ended(t.NamedTuple):
    """A run at its end. `log`: a digest of its lines."""

    plan: Plan
    violations: list[str]
    log: str


@dataclass
class Explored:
    """What some runs did and found."""

    totals: Totals = field(default_factory=Totals)
    runs: list[Ended] = field(default_factory=list)
    after_loss: dict[str, float] = field(default_factory=dict)
    """Seconds after which the latest write after a lost lock came, by why."""

    @property
    def broken(self) -> list[Ended]:
        return [one for one in self.runs if one.violations]

    def merge(self, other: Explored) -> None:
        self.totals.merge(other.totals)
        self.runs += other.runs
        for why, seconds in other.after_loss.items():
            self.after_loss[why] = max(self.after_loss.get(why, 0.0), seconds)


def alone(plan: Plan) -> Explored:
    """The run of this plan."""
    with uncollected(), closing(Running(plan)) as running:
        return _at_its_end(running, Totals())


def explore(plan: Plan) -> Explored:
    """The run of this plan and, unless it broke something, its branches, which follow from the plan too.

    Branches would share their connections to real databases, and folders on the disk: a plan with those has none.
    """
    found = alone(plan)
    if found.broken or plan.stores or plan.functions or found.totals.requests < SHORT:
        return found
    draw = random.Random(f"branches {plan.seed}")
    points = [
        (int(found.totals.requests * draw.uniform(first, last)), ways)
        for first, last, ways in BRANCHINGS
    ]
    # `alone` runs in this process: what it loads and compiles serves the branches, which is quicker.
    with uncollected(), closing(Running(plan)) as running:
        if not running.go(points[0][0]):
            found.merge(_at_a_point(running, _totals(running.outcome()), draw, points))
    return found


def _at_a_point(running: Running, before: Totals, draw: random.Random, points: _Points) -> Explored:
    """All branches from here, the first of these. `before`: what was counted elsewhere already.

    The last of them is this process itself, which saves a fork.
    """
    here = _totals(running.outcome())
    found = Explored(replace(here.since(before), runs=0, broken=0))
    (_here, ways), *later = points
    for way in range(1, ways + 1):
        drawn = random.Random(draw.random())
        plan = other_faults(drawn, running.world.plan, running.world.counts, running.acting())
        branch = partial(_branch, running, here, plan, drawn, later)
        found.merge(_in_a_process(branch) if way < ways else branch())
    return found


def _branch(
    running: Running, before: Totals, plan: Plan, draw: random.Random, points: _Points
) -> Explored:
    """Its world is not closed here: that would touch all memory that it shares, and most processes end anyway."""
    running.go_on_with(plan)
    if points and not running.go(points[0][0]):
        return _at_a_point(running, before, draw, points)
    found = _at_its_end(running, before)
    found.totals.branches = 1
    return found


def _at_its_end(running: Running, before: Totals) -> Explored:
    running.go()
    outcome = running.end()
    totals = _totals(outcome)
    log = hashlib.sha256("\n".join(outcome.lines).encode()).hexdigest()
    ended = Ended(outcome.plan, outcome.violations, log)
    return Explored(
        replace(totals.since(before), runs=1, broken=totals.broken), [ended], outcome.after_loss
    )


def _totals(outcome: Outcome) -> Totals:
    totals = Totals()
    totals.add(outcome, 0.0)
    return totals


def _in_a_process(work: t.Callable[[], Explored]) -> Explored:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(write, "wb") as told:
                found = work()
                found.totals.cpu += time.process_time()
                pickle.dump(found, told)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)  # nothing of what the others still need is closed
    os.close(write)
    with os.fdopen(read, "rb") as told:
        said = told.read()
    os.waitpid(child, 0)
    if not said:
        raise RuntimeError("a branch ended by itself")
    return t.cast("Explored", pickle.loads(said))
