"""One thread, virtual time: whoever waits is put aside, and the next in time goes on.

Greenlets, because the product's code is synchronous: a switch costs half a microsecond where handing a baton from
thread to thread costs fifty, and one that is killed simply never goes on, as a killed process does.
"""

from __future__ import annotations

import heapq
import itertools
import typing as t
from dataclasses import dataclass, field

from greenlet import GreenletExit, getcurrent, greenlet

Work = t.Callable[[], None]


class OutOfStepsError(Exception):
    """The world did not come to rest within its bound."""


@dataclass(eq=False)
class Process:
    """What lives and dies together: an ansible-playbook, or the keeper of its lock. Its clocks are its own."""

    name: str
    pid: int
    machine: str
    rate: float = 1.0
    """Seconds that its clocks go while one passes."""
    ahead: float = 0.0
    """Seconds that its wall clock is ahead."""
    alive: bool = True
    paused_until: float = 0.0
    steps: list[Step] = field(default_factory=list)
    killed: t.Callable[[], None] | None = None
    """Told when it ends by another's hand."""
    play: t.Any = None
    """The run of ansible-playbook that it is, of engine.py."""


GONE = "late"
"""Whose a request is that arrives when its sender is no more."""


def sender_of(process: Process | None) -> str:
    return process.name if process else GONE


@dataclass(eq=False)
class Step:
    """Something that runs until it waits: a thread of a process."""

    process: Process
    body: greenlet
    turn: int = 0
    """Raised whenever it goes on, so that an appointment made before is void."""


class Scheduler:
    def __init__(self, steps: int) -> None:
        self.now = 0.0
        self.over = False
        self.left = steps
        self._hub = getcurrent()
        self._heap: list[tuple[float, int, Step | None, int, Work | None]] = []
        self._count = itertools.count()
        self._current: Step | None = None
        self._bodies: list[greenlet] = []

    @property
    def step(self) -> Step:
        if self.over:
            raise GreenletExit  # it waits at its end, as a `finally` block may
        assert self._current is not None
        return self._current

    @property
    def process(self) -> Process | None:
        """Whose code runs now; None for the world's own."""
        return self._current.process if self._current else None

    def at(self, time: float, work: Work) -> None:
        """Have the world do something by itself."""
        heapq.heappush(self._heap, (max(time, self.now), next(self._count), None, 0, work))

    def spawn(self, process: Process, work: Work, delay: float = 0.0) -> Step:
        step = Step(process, greenlet(work, parent=self._hub))
        self._bodies.append(step.body)
        process.steps.append(step)
        self._appoint(step, self.now + delay)
        return step

    def wake(self, step: Step, delay: float = 0.0) -> None:
        self._appoint(step, self.now + delay)

    def sleep(self, seconds: float) -> None:
        self._appoint(self.step, self.now + max(seconds, 0.0))
        self.park()

    def park(self) -> None:
        """Until somebody wakes this step, or the appointment it made is due."""
        self._hub.switch()

    def kill(self, process: Process) -> None:
        """At once and for good: nothing of it runs again, not even what it would do at its end."""
        process.alive = False
        if self._current is not None and self._current.process is process:
            self.park()

    def run(self, until: float, rested: t.Callable[[], bool] = lambda: False) -> None:
        """Until nothing is left to do, `rested` says so, or the time is over."""
        while self._heap and self._heap[0][0] <= until and not rested():
            time, _count, step, turn, work = heapq.heappop(self._heap)
            self.now = time
            if step is not None and not self._may(step, turn):
                continue
            self.left -= 1
            if self.left < 0:
                raise OutOfStepsError
            if work is not None:
                work()
            elif step is not None:
                self._go_on(step)

    def close(self) -> None:
        """Let go of all that still waits. Only now do their `finally` blocks run, in a world that is over.

        Also of those that nobody would wake: what a greenlet holds, no collection finds.
        """
        self._current, self.over = None, True
        for body in self._bodies:
            if body:
                body.throw(GreenletExit)

    def _appoint(self, step: Step, time: float) -> None:
        heapq.heappush(self._heap, (time, next(self._count), step, step.turn, None))

    def _go_on(self, step: Step) -> None:
        step.turn += 1
        self._current = step
        try:
            step.body.switch()
        finally:
            self._current = None

    def _may(self, step: Step, turn: int) -> bool:
        process = step.process
        if not process.alive or step.turn != turn or step.body.dead:
            return False
        if process.paused_until > self.now:
            self._appoint(step, process.paused_until)
            return False
        return True


class Event:
    """threading.Event, as far as the product uses it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._set = False
        self._waiting: list[Step] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for step in waiting:
            self._scheduler.wake(step)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if self._set:
            return True
        step = self._scheduler.step
        self._waiting.append(step)
        if timeout is None:
            self._scheduler.park()
        else:
            self._scheduler.sleep(timeout)
        if step in self._waiting:
            self._waiting.remove(step)
        return self._set


class Lock:
    """threading.Lock, as far as the product uses it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._free = Event(scheduler)
        self._free.set()

    def __enter__(self) -> None:
        while not self._free.is_set():
            self._free.wait()
        self._free.clear()

    def __exit__(self, *_exception: object) -> None:
        self._free.set()
