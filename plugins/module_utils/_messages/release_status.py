# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a release while a run goes on: the record's phases, and what this run does in them.

Knows neither Ansible nor Slack; `headline` puts it into words. Times are seconds since the epoch, as in the record.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._release.models import NOT_READY, is_hold
from .._release.record import Phase, Record, RecordedMetric
from .._story.plan import UNPLANNED, Plan

SERVICES_PHASE = "microservices"
ROLLED = "easymo.deploy.wave_result"
"""The task that a service is through with when it runs the release and answers."""

Outcome = t.Literal["", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Link:
    """What a button says, and where it leads."""

    text: str
    url: str


@dataclass(frozen=True)
class Release:
    """`on_call` is an id in Slack or only a name, "" for no contact; `units` are those of metrics by name."""

    title: str
    playbook: str
    environment: str = ""
    on_call: str = ""
    on_call_name: str = ""
    plan: Plan = UNPLANNED
    links: tuple[Link, ...] = ()
    units: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Play:
    """`phase` is the phase it belongs to, "" for a play of another kind of run."""

    name: str
    phase: str = ""
    hosts: int = 0


@dataclass
class RunStep:
    """A phase or a play in this run: since when, how far, and what its hosts last said."""

    name: str
    phase: str
    hosts: int
    started: float
    finished: float | None = None
    task: str = ""
    failed: set[str] = field(default_factory=set)
    rolled: set[str] = field(default_factory=set)
    progress: dict[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.finished is None


@dataclass(frozen=True)
class TaskFailure:
    """`reason` is the module's one word, "" for a task without one."""

    step: str
    host: str
    task: str
    sentence: str
    reason: str = ""

    @property
    def held(self) -> bool:
        return is_hold(self.reason)


class ReleaseStatus:
    """State of a release as this run sees it."""

    def __init__(self, release: Release, started: float) -> None:
        self.release = release
        self.started = started
        self.outcome: Outcome = ""
        self.record = Record()
        """Of the attempt; one without a number until it was seen."""
        self.steps: list[RunStep] = []
        self.failures: list[TaskFailure] = []
        self.readings: tuple[RecordedMetric, ...] = ()
        self.touched = False
        """Whether this run has changed anything: one that was refused has not."""
        self._announced: Play | None = None

    @property
    def deploys(self) -> bool:
        """Whether this run takes the release through its phases, and does nothing else."""
        return any(step.phase for step in self.steps) or not self.steps

    @property
    def held(self) -> bool:
        """Whether what stopped this run is a hold, and no failure."""
        return bool(self.failures) and self.failures[0].held

    @property
    def refused(self) -> bool:
        """Whether the first phase found that the release is not ready. It only looks, so nothing was touched."""
        first = self.step_of(self.release.plan[0].name) if self.release.plan else None
        if first is None or not self.failures:
            return False
        stopped = self.failures[0]
        return stopped.step == first.name and stopped.reason in NOT_READY

    def step_of(self, phase: str) -> RunStep | None:
        return next((step for step in self.steps if step.phase == phase), None)

    @property
    def phases(self) -> dict[str, Phase]:
        """Those of the record that have begun."""
        return {name: phase for name, phase in self.record.phases.items() if phase.begun}

    def play_started(self, play: Play, now: float) -> None:
        """A play counts once a task of it runs: unselected plays are announced too.

        That of a phase which the release does not have ends at once.
        """
        plan = self.release.plan
        if play.phase and plan and play.phase not in plan.names:
            return
        last = self.steps[-1] if self.steps else None
        same = last and (last.phase == play.phase if play.phase else last.name == play.name)
        if last and same:  # the next batch of a serial play, or the next play of a phase
            last.hosts = max(last.hosts, play.hosts)
            last.finished = None
            self._announced = None
            return
        self._close_step(now)
        self._announced = play

    def task_started(self, name: str, now: float) -> None:
        if self._announced:
            play, self._announced = self._announced, None
            self.steps.append(RunStep(play.name, play.phase, play.hosts, started=now))
        if self.steps:
            self.steps[-1].task = name

    def host_done(self, host: str, action: str = "") -> None:
        """It finished a task well."""
        if self.steps and action == ROLLED:
            self.steps[-1].rolled.add(host)

    def host_failed(self, failure: TaskFailure) -> bool:
        """Notes it, and tells whether it says anything that an earlier one did not."""
        news = not any(known.sentence in failure.sentence for known in self.failures)
        if self.steps:
            self.steps[-1].failed.add(failure.host)
        self.failures.append(failure)
        return news

    def wave_rolled(self, services: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """The services that are through, before their hosts report it."""
        if self.steps:
            self.steps[-1].rolled |= {name for name in services if not services[name].get("failed")}

    def progressed(self, host: str, text: str) -> None:
        """Keeps the newest line of each host."""
        if self.steps:
            self.steps[-1].progress.pop(host, None)
            self.steps[-1].progress[host] = text

    def measured(self, readings: t.Iterable[RecordedMetric]) -> None:
        """The newest of each metric counts: the sign-off looks at the alerts alone."""
        known = {reading.name: reading for reading in self.readings}
        self.readings = tuple((known | {reading.name: reading for reading in readings}).values())

    def record_seen(self, record: Record) -> None:
        if self.record.attempt and self.record.identity != record.identity:
            self.readings = ()
        self.record = record

    def finished(self, now: float, *, good: bool) -> None:
        self._end(now, "done" if good else "failed")

    def interrupted(self, now: float) -> None:
        self._end(now, "interrupted")

    def _end(self, now: float, outcome: Outcome) -> None:
        self._close_step(now)
        self.outcome = outcome

    def _close_step(self, now: float) -> None:
        if self.steps and self.steps[-1].live:
            self.steps[-1].finished = now
            self.steps[-1].progress.clear()

    def where(self, failure: TaskFailure) -> str:
        """The phase in which it failed, as people call it."""
        step = next((entry for entry in self.steps if entry.name == failure.step), None)
        return self.release.plan.phase(step.phase).title if step and step.phase else failure.step
