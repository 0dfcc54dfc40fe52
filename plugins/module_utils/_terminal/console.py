# SPDX-License-Identifier: GPL-3.0-or-later
"""From the events of a run to the lines that a terminal or a log shows of it. Knows neither Ansible nor a clock."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._flags.apply import KilledError
from .._formats import one_line, shortened, span, stopwatch
from .._lock.models import FrozenError
from .._progress import WAVE_ROLLED
from .._release.models import failed_rounds, sentence_of
from .._release.record import Record
from .._story.plan import UNPLANNED
from . import models, telling
from .commands import Command
from .ending import Block, end_lines
from .layout import INDENT, RIGHT, bare, clock, fact_lines, hanging, righted
from .models import Fact, Group, Item, Line, TaskEnded
from .run import Live, PlaybookState, Stage
from .telling import Telling, not_paged, receivers, tells

FOLDED = ("called", "checked", "read")
"""Labels of checks that share a line while they go well."""
COMMAND = "ansible-playbook "
TOLD_DURATION = 1.0
"""Seconds; what was quicker needs no duration."""


NOT_BEGUN = models.RunBegun("", "", "", Command(()))


class Console:
    """State of a run. `on` takes what happened and gives the lines to show, often none."""

    def __init__(self, *, verbose: bool = False) -> None:
        """`verbose`: Ansible shows the tasks, and only headings and the end are told."""
        self._verbose = verbose
        self.begun = NOT_BEGUN
        self.run = PlaybookState(UNPLANNED, 0.0)
        self.live = Live()
        self.evidence: list[TaskEnded] = []
        """What failed for good, whole."""
        self.block = Block()
        self._ended: list[TaskEnded] = []
        """The results of the task that runs now, until the next one begins."""
        self._began: dict[str, float] = {}
        self._telling = Telling()
        self._checks: list[Fact] = []
        self._heading: list[Line] = []
        self._header = False
        self._ours = False
        self._columns = 80

    def on(self, event: models.Event, columns: int = 80) -> list[Line]:
        self._columns = columns
        if isinstance(event, models.RunBegun):
            self.begun, self.run = event, PlaybookState(event.plan, event.at)
            command = event.command
            self._telling = Telling(check=command.check, limited=bool(command.limit))
        if isinstance(event, models.PlayBegun):
            return self._play(event)
        if isinstance(event, models.TaskBegun):
            return self._task(event)
        if isinstance(event, TaskEnded):
            return self._result(event)
        if isinstance(event, models.Reported):
            return self._report(event)
        return self._end(event) if isinstance(event, models.RunEnded) else []

    # --- plays -------------------------------------------------------------------------------------------------------

    def _play(self, event: models.PlayBegun) -> list[Line]:
        lines = self._flush()
        if not self.run.has(event.phase):
            # It ends at once, which is worth a line where it was asked for by name.
            if event.phase in self.begun.command.tags:
                text = f"{' ' * INDENT}- {event.phase} is not a phase of this release"
                lines += self._with_heading([Line(text, "calm")])
            return lines
        self._ours = self._ours or event.ours or bool(event.phase)
        before = self.run.current
        begins = self.run.begin(event, event.at)
        stage = self.run.stages[-1]
        if begins:
            # A phase that said nothing was gone through all the same.
            lines += self._with_heading([], always=bool(before and before.number))
            shown = event.ours or self._verbose
            self._heading = [Line(self._title(stage, event.at), "head")] if shown else []
        self.live.play(event, stage.title)
        return [*lines, *self._with_heading([], always=self._verbose)]

    def _title(self, stage: Stage, at: float) -> str:
        now = self._clock(at)
        if not stage.number:
            title = shortened(one_line(stage.title), self._columns - RIGHT)
            return righted(title, now, self._columns)
        planned = f" · planned {span(stage.planned)}" if stage.planned else ""
        return f"{stage.number}/{len(self.run.plan)} {stage.title} · {now}{planned}"

    def _clock(self, at: float) -> str:
        return clock(self.begun.clock + at - self.begun.at)

    def _top(self) -> list[Line]:
        """The release, its place, its deployer; after it each phase has its heading."""
        begun, block = self.begun, self.block
        what = f"Release {begun.version}" if begun.version else begun.title
        where = f" → {begun.environment}" if begun.environment else ""
        phased = bool(self.run.current and self.run.current.number)
        parts = [
            f"{what}{where}",
            begun.title if begun.version else "",
            f"attempt {block.attempt}" if phased else "",
            block.holder,
            "check mode, nothing is changed" if begun.command.check else "",
        ]
        text = " · ".join(filter(None, parts))
        return [Line(entry, "head") for entry in hanging(text, self._columns)]

    def _with_heading(self, lines: t.Sequence[Line], *, always: bool = False) -> list[Line]:
        """With the heading of the phase before the first of its lines."""
        if not lines and not self._checks and not always:
            return []
        top = [] if self._header else self._top()
        self._header = True
        heading, self._heading = self._heading, []
        return [*top, *heading, *self._checked(), *lines]

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _task(self, event: models.TaskBegun) -> list[Line]:
        self._began.setdefault(event.task.uid, event.at)
        self.live.task(event)
        return self._flush(event.task)

    def _result(self, event: TaskEnded) -> list[Line]:
        self.live.ended(event)
        if event.status == "skipped":
            return []
        lines = self._flush(event.task)
        self._note(event)
        self._ended.append(event)
        return lines

    def _note(self, event: TaskEnded) -> None:
        """What later lines need to know."""
        action, result, block = event.task.action, event.result, self.block
        if isinstance(switch := result.get("kill_switch"), dict) and not event.task.check:
            # One that a run set by itself is the next deployment's to reset.
            person = "" if switch.get("automatic") else str(switch.get("by") or "")
            block.story = replace(block.story, killed=person)
        if event.status in ("failed", "unreachable") and not event.ignored:
            self._failed(event)
        if action in telling.LOCKS and event.status == "ok" and not tells(result):
            lock = result.get("lock") or {}
            held = lock.get("held") and not lock.get("manual")
            block.holder = f"locked by {lock.get('holder')}" if held else ""
        if action in telling.RECORD_READERS and (record := Record.of_result(result)).exists:
            block.attempt = record.attempt or 1
            # What a run begins with is as it will be.
            if action != telling.RUN and not event.task.check:
                block.story = replace(block.story, record=record)
        if action == telling.REPORT and event.status == "ok":
            block.report = result
        elif action == telling.ANNOUNCE and self.evidence:
            group = Group(event.task.name, (Item(event.host, result),))
            text, why = receivers(group), not_paged(group)
            block.not_paged = block.not_paged if why is None else why
            block.announced = [*dict.fromkeys([*block.announced, *text])]
        changed = (
            result.get("changed") and not telling.records(action, result) and event.status == "ok"
        )
        if changed and (stage := self.run.current):
            stage.changed = True

    def _failed(self, event: TaskEnded) -> None:
        result, stage = event.result, self.run.current
        missing = tuple(map(str, result.get("missing_phases") or ()))
        if result.get("standing"):
            self.block.standing = dict(result["standing"])
            if stage:
                stage.missing = missing
            if self.evidence:
                # The end of a phase repeats what failed in it.
                return
        why = sentence_of(result)
        self.evidence.append(event)
        text = next(iter(failed_rounds(result)), result)
        reason = str(text.get("reason") or ("InvalidInput" if "argument_errors" in text else ""))
        other = str(text.get("unfinished") or text.get("later") or "")
        log = telling.last_lines(text)
        if stage:
            failure = models.RunFailure(event.concerns, why, missing, reason, log, other)
            stage.failures.append(failure)
        lock = text.get("lock")
        self.block.story = replace(
            self.block.story,
            lock=lock if isinstance(lock, dict) else {},
            freeze=why if reason == FrozenError.reason else "",
            killed=why if reason == KilledError.reason else self.block.story.killed,
        )

    # --- facts -------------------------------------------------------------------------------------------------------

    def _flush(self, task: models.Task | None = None) -> list[Line]:
        """The lines of the task before this one."""
        if not self._ended or (task and self._ended[0].task.uid == task.uid):
            return []
        ended, self._ended = self._ended, []
        began = self._began.pop(ended[0].task.uid, ended[0].at)
        if self._verbose or not ended[0].task.ours:
            return []
        message = self._telling.message_lines(ended)
        if message:
            room = self._columns - INDENT
            # A command is there to be copied.
            parts = (
                part
                for text in message
                for part in ([text] if COMMAND in text else hanging(text, room))
            )
            return self._with_heading([Line(f"{' ' * INDENT}{part}") for part in parts])
        facts = self._telling.facts(ended, failing=bool(self.evidence))
        if not (self.run.current and self.run.current.number):
            # The page is for those who wait for a deployment.
            facts = [fact for fact in facts if fact.label != "page"]
        if facts and all(fact.tone == "good" and fact.label in FOLDED for fact in facts):
            self._checks += facts
            return []
        self._keep_for_the_end(facts)
        took = max(ended[-1].at - began, *map(telling.lasted, ended), 0.0)
        return self._with_heading(
            self._draw(facts, stopwatch(took) if took >= TOLD_DURATION else "")
        )

    def _keep_for_the_end(self, facts: t.Sequence[Fact]) -> None:
        """What went wrong stands above the last block, which need not repeat it."""
        self.block.problems += [fact.text for fact in facts if fact.tone in ("bad", "warn")]

    def _draw(self, facts: t.Sequence[Fact], beside: str) -> list[Line]:
        """`beside` stands at the right of the first line."""
        return [
            line
            for place, fact in enumerate(facts)
            for line in fact_lines(fact, "" if place else beside, self._columns)
        ]

    def _checked(self) -> list[Line]:
        """Checks that went well one after the other are one line."""
        checks, self._checks = self._checks, []
        if len(checks) > 1:
            checks = [Fact("checked", " · ".join(check.text for check in checks))]
        return self._draw(checks, "")

    def differs(self, task: models.Task, host: str, diffs: t.Sequence[str]) -> list[Line]:
        """A difference that somebody asked for, whole, after the lines of the task before it."""
        done = self._flush(task)
        heading = Line(f"    ± {bare(task.name)} · {host}", "head")
        text = [
            Line(f"      {line}") for diff in diffs for line in diff.splitlines() if line.strip()
        ]
        return [*done, *self._with_heading([heading, *text])]

    # --- while a task runs, and the end -----------------------------------------------------------------------------

    def _report(self, event: models.Reported) -> list[Line]:
        fact = self.live.report(event)
        facts, beside = [fact] if fact else [], self._clock(event.at)
        if event.event == WAVE_ROLLED:
            facts, beside = self._telling.wave(event.data), _took(event.data)
            self._keep_for_the_end(facts)
        if self._verbose:
            return []
        return self._with_heading(self._draw(facts, beside))

    def waiting(self, now: float) -> list[Line]:
        """Of a run that has said nothing for long, where there is no line that is drawn anew."""
        text = self.live.text(now)
        return self._with_heading(
            [Line(shortened(f"    … {text}", self._columns), "calm")] if text else []
        )

    def _end(self, event: models.RunEnded) -> list[Line]:
        lines, good = self._flush(), event.ending == "done"
        lines += self._with_heading([], always=good and self._ours and not self._verbose)
        self.run.close(event.at, event.ending)
        if not self.run.stages or not self._ours:
            return lines
        looked = not any(stage.number or stage.changed for stage in self.run.stages)
        if good and not self.block.report and looked:
            # What such a playbook has said is its end.
            return lines
        clock_time = self._clock(event.at)
        end = end_lines(self.run, self.begun, self.block, clock_time, self._columns)
        return [*lines, Line(""), *end]


def _took(wave: t.Mapping[str, t.Any]) -> str:
    """As long as the slowest of its services, "" for what was quick."""
    services: t.Mapping[str, t.Mapping[str, t.Any]] = wave.get("services") or {}
    took = max((float(result.get("duration") or 0) for result in services.values()), default=0.0)
    return stopwatch(took) if took >= TOLD_DURATION else ""
