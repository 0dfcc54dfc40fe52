# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask every address at its pace, whatever another one does, and fold what comes of it in the order of the questions."""

from __future__ import annotations

import math
import queue
import threading
import time
import typing as t
from collections import Counter, deque
from dataclasses import dataclass

from .models import Probe
from .plan import State, fold, longest_pause

GRACE = 0.5
"""Seconds after its timeout in which an address may still be told to have answered or not."""
MOST_WAITING = 8
"""Questions of one address that wait for an answer at a time. One that hangs is not asked more often than that."""
WAVES = 5
"""In so many turns all are asked: to wake up costs as much as a question."""
LOOK_EVERY = 1.0
"""Seconds between two looks whether it is to end."""


class Askable(t.Protocol):
    def ask(self, timeout: float) -> str:
        """Why it did not answer as it should, else ""."""


@dataclass
class _Question:
    """One that was asked. `problem` is None until there is an answer, or its time is up."""

    name: str
    asked: float
    deadline: float
    problem: str | None = None


class Prober:
    """`controls` are asked only when something does not answer, to tell whether this machine sees anything."""

    def __init__(
        self,
        targets: t.Mapping[str, Askable],
        controls: t.Mapping[str, Askable],
        state: State,
        *,
        interval: float,
        timeout: float,
        wall: t.Callable[[], float] = time.time,
    ) -> None:
        self.state = state
        """As far as it is known. Replaced, never changed, so another thread may take it as it is."""
        self._asked = {**targets, **controls}
        self._controls = frozenset(controls)
        self._interval = interval
        self._timeout = timeout
        self._wall = wall
        self._at_once = min(math.ceil(timeout / interval) + 2, MOST_WAITING)
        self._questions: deque[_Question] = deque()
        self._waiting: Counter[str] = Counter()
        self._failing = False
        self._stopped = False
        self._lock = threading.Lock()
        self._to_ask: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._threads = self._idle = 0

    def run(self, ended: t.Callable[[], bool]) -> None:
        """Until `ended` says so, or `stop` was called."""
        now = time.monotonic()
        pace, each = self._interval / WAVES, len(self._asked) / WAVES
        due = {name: now + place // each * pace for place, name in enumerate(self._asked)}
        look = now
        while not self._stopped:
            before, now = now, time.monotonic()
            if now - before > longest_pause(self._interval):
                # What was under way when this machine stalled says nothing.
                self._questions = deque(one for one in self._questions if one.problem is not None)
            if now >= look:
                if ended():
                    break
                look = now + LOOK_EVERY
            for name, when in due.items():
                if when <= now:
                    self._ask(name, now)
                    # What was missed stays missed: nobody is asked twice at once for it.
                    due[name] = max(when + self._interval, now + self._interval / 2)
            self._fold(now)
            pause = min(*due.values(), look, now + LOOK_EVERY) - time.monotonic()
            time.sleep(max(0.001, pause))
        self._fold(math.inf)
        for _thread in range(self._threads):
            self._to_ask.put(None)

    def stop(self) -> None:
        """Within a second. May be called by another thread, or by the handler of a signal."""
        self._stopped = True

    def _ask(self, name: str, now: float) -> None:
        if name in self._controls and not self._suspicious(now):
            return
        with self._lock:
            if self._waiting[name] >= self._at_once or not self._somebody_waits():
                return
            self._waiting[name] += 1
        question = _Question(name, self._wall(), now + self._timeout + GRACE)
        self._questions.append(question)
        self._to_ask.put(question)

    def _somebody_waits(self) -> bool:
        """Whether there is a thread for one more question: one or two are enough, until something hangs."""
        if self._idle:
            self._idle -= 1
            return True
        try:
            threading.Thread(target=self._answer, daemon=True).start()
        except RuntimeError:
            return False  # this machine has no more of them
        self._threads += 1
        return True

    def _suspicious(self, now: float) -> bool:
        oldest = self._questions[0].deadline - self._timeout - GRACE if self._questions else now
        return self._failing or now - oldest > self._interval

    def _answer(self) -> None:
        while (question := self._to_ask.get()) is not None:
            problem = self._asked[question.name].ask(self._timeout)
            with self._lock:
                self._idle += 1
                self._waiting[question.name] -= 1
                if question.problem is None:
                    question.problem = problem
                    self._failing = bool(problem)

    def _fold(self, now: float) -> None:
        """All that is known up to the first question that is still open. At the end those are left out."""
        while self._questions:
            question = self._questions[0]
            if question.problem is None and now < math.inf:
                if question.deadline > now:
                    return
                with self._lock:
                    question.problem = self._silence()
            self._questions.popleft()
            if question.problem is not None:
                control = question.name in self._controls
                probe = Probe(question.name, question.asked, question.problem, control)
                self.state = fold(self.state, probe)

    def _silence(self) -> str:
        return f"no answer within {self._timeout:g} s"
