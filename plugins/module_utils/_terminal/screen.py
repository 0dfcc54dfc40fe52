# SPDX-License-Identifier: GPL-3.0-or-later
"""From what happens in a run to the lines that tell how far it is. Knows neither Ansible nor a terminal nor a clock."""

from __future__ import annotations

import typing as t

from .._formats import counted, listed, span
from .._story.plan import Plan, Planned
from .layout import against_plan, bare, one_line
from .models import Earlier, Ending, Line, PlayBegun, RunFailure, Stage


class Screen:
    """State of a run. Each method takes the time and gives the lines to show, often none."""

    def __init__(self, plan: t.Sequence[Planned], started: float, *, check: bool = False) -> None:
        self._plan = {entry.name: (number, entry) for number, entry in enumerate(plan, start=1)}
        self._check = check
        self.started = started
        self.plan = Plan(plan)
        self.stages: list[Stage] = []
        self.earlier = Earlier()

    @property
    def current(self) -> Stage | None:
        stage = self.stages[-1] if self.stages else None
        return stage if stage and stage.finished is None else None

    def plans(self, phase: str) -> bool:
        return phase in self._plan

    def play_started(self, play: PlayBegun, now: float) -> list[Line]:
        key = play.phase or play.name
        known = self.current
        if known and known.key == key:
            known.hosts += len(play.hosts)
            return [self._goes_on(known, play, now)]
        lines = self._close("done", now)
        stage = self._stage(key, play, now)
        before = self._so_far(now)
        self.stages.append(stage)
        planned = [f"planned {span(stage.planned)}"] if stage.planned else []
        check = ["check mode, nothing is changed"] if self._check else []
        text = " · ".join([self.heading(stage), *planned, *before, *check])
        return [*lines, Line(text, "head")]

    def _stage(self, key: str, play: PlayBegun, now: float) -> Stage:
        number, planned = self._plan.get(key, (0, None))
        title = planned.title if planned else one_line(play.name)
        seconds = planned.seconds if planned else 0.0
        return Stage(key, title, number, seconds, started=now, hosts=len(play.hosts))

    def heading(self, stage: Stage) -> str:
        if not stage.number:
            return stage.title
        return f"Phase {stage.number} of {len(self.plan)}: {stage.title}"

    def _goes_on(self, stage: Stage, play: PlayBegun, now: float) -> Line:
        where = f"{counted(len(play.hosts), 'host')}: {listed(play.hosts)}"
        planned = f" of {span(stage.planned)}" if stage.planned else ""
        spent = f"{span(stage.lasted(now))}{planned}"
        return Line(f"{self.heading(stage)} goes on with {where} · {spent}", "calm")

    def _so_far(self, now: float) -> list[str]:
        """Since the start, and against the plan of what is behind us; nothing at the very start."""
        here = now - self.started
        if here < 1 and not self.earlier.total:
            return []
        spent = self.earlier.total + here
        text = f"{span(here)} since the start"
        if self.earlier.total:
            text += f", {span(self.earlier.total)} in earlier runs"
        planned = self._planned_so_far()
        return [f"{text}, {against_plan(spent, planned)}" if planned else text]

    def _planned_so_far(self) -> float:
        """Of the phases that are behind us, in this run or in an earlier one."""
        behind = {stage.key for stage in self.stages if stage.finished is not None}
        return sum(
            entry.seconds
            for entry in self.plan
            if entry.name in behind or self.earlier.settled(entry.name)
        )

    def recorded(self, earlier: Earlier) -> list[Line]:
        """Tells once of the runs before this one, as soon as their record was seen."""
        if self.current:
            self.current.recorded = earlier.own.get(self.current.key)
        if self.earlier.seconds or not earlier.seconds:
            return []
        self.earlier = earlier
        titles = {entry.name: entry.title for entry in self.plan}
        # A record has its phases by name; the plan has their order.
        order = [*(n for n in titles if n in earlier.seconds), *(earlier.seconds.keys() - titles)]
        spent = [f"{titles.get(name, name)} {span(earlier.seconds[name])}" for name in order]
        return [
            Line(
                f"Earlier runs of attempt {earlier.attempt} took {span(earlier.total)}: "
                f"{', '.join(spent)}",
                "calm",
            )
        ]

    def changed(self, host: str, task: str) -> None:
        if self.current:
            self.current.changes.setdefault(bare(task), set()).add(host)

    def failed(self, failure: RunFailure) -> None:
        if self.current:
            self.current.failures.append(failure)

    def begins_with(self, missing: tuple[str, ...]) -> None:
        if self.current:
            self.current.missing = missing

    def ended(self, ending: Ending, now: float) -> list[Line]:
        """The run ends, and its last phase with it."""
        return self._close(ending, now)

    def _close(self, ending: Ending, now: float) -> list[Line]:
        stage = self.current
        if stage is None:
            return []
        stage.finished, stage.ending = now, ending
        verb = {"done": "took", "failed": "failed after", "interrupted": "was cut off after"}
        spent = span(stage.lasted(now))
        planned = f", planned {span(stage.planned)}" if stage.planned else ""
        text = f"{self.heading(stage)} {verb[ending]} {spent}{planned} · {self._changes(stage)}"
        return [Line(text, "good" if ending == "done" else "bad")]

    def _changes(self, stage: Stage) -> str:
        if not stage.changes:
            return "nothing to change" if self._check else "nothing changed"
        changes = [
            f"{task} ({next(iter(hosts)) if len(hosts) == 1 else f'{len(hosts)} hosts'})"
            for task, hosts in stage.changes.items()
        ]
        return f"{'would change' if self._check else 'changed'}: {listed(changes)}"
