# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is: its phases, from its events, for the terminal and for Slack alike. Knows no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._release.models import stopped_by
from .._story.plan import Plan
from .layout import one_line
from .models import Ending, PlayBegun, RunFailure


@dataclass
class Stage:
    """A phase, or a play that is none, as far as it is in this run. Times are seconds on one clock.

    `number` is 0 for what is not planned. `progress` is what its hosts last said, `rolled` those of them that are
    through. `missing`: the phases that the next run has to begin with, for what was switched off.
    """

    name: str
    phase: str
    title: str
    number: int
    planned: float
    started: float
    finished: float | None = None
    task: str = ""
    changed: bool = False
    hosts: set[str] = field(default_factory=set)
    rolled: set[str] = field(default_factory=set)
    progress: dict[str, str] = field(default_factory=dict)
    failures: list[RunFailure] = field(default_factory=list)
    missing: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        return self.finished is None

    @property
    def failed(self) -> set[str]:
        return {failure.host for failure in self.failures}

    @property
    def cause(self) -> RunFailure | None:
        return stopped_by(self.failures) if self.failures else None


class PlaybookState:
    """State of a run, which `started` at that time; `ending` is None while it goes on."""

    def __init__(self, plan: Plan, started: float) -> None:
        self.plan = plan
        self.started = started
        self.stages: list[Stage] = []
        self.ending: Ending | None = None

    @property
    def current(self) -> Stage | None:
        stage = self.stages[-1] if self.stages else None
        return stage if stage and stage.live else None

    def has(self, phase: str) -> bool:
        """Whether a play of this phase does anything: that of one which the release does not have ends at once."""
        return not (phase and self.plan) or bool(self.plan.number(phase))

    def begin(self, play: PlayBegun, now: float) -> bool:
        """Whether a stage begins with it: the next play of a phase, or batch of a play, goes on with the last."""
        stage = self.current
        if stage and (stage.phase or stage.name) == (play.phase or play.name):
            stage.hosts |= {*play.hosts}
            return False
        self.close(now)
        planned = self.plan.phase(play.phase)
        title = planned.title if play.phase else one_line(play.name)
        number = self.plan.number(play.phase)
        stage = Stage(play.name, play.phase, title, number, planned.seconds, now)
        stage.hosts |= {*play.hosts}
        self.stages.append(stage)
        return True

    def close(self, now: float, ending: Ending | None = None) -> None:
        """The last stage ends, and with an `ending` the run."""
        if stage := self.current:
            stage.finished = now
            stage.progress.clear()
        self.ending = ending
