# SPDX-License-Identifier: GPL-3.0-or-later
"""From the events of a run to the lines that a terminal or a log shows of it. Knows neither Ansible nor a clock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._flags.apply import KilledError
from .._formats import span, stopwatch
from .._lock.models import FrozenError
from .._progress import WAVE_ROLLED
from .._release.models import failed_rounds, is_hold, sentence_of
from .._release.record import Record
from .ending import Block, done_lines, stopped_lines
from .facts.platform import receivers, still_told, tells
from .layout import INDENT, RIGHT, bare, clipped, clock, fact_lines, hanging, one_line, righted
from .live import Live
from .models import (
    Event,
    Fact,
    Group,
    Item,
    Line,
    PlayBegun,
    Reported,
    RunBegun,
    RunEnded,
    RunFailure,
    Stage,
    Task,
    TaskBegun,
    TaskEnded,
    earlier_runs,
)
from .screen import Screen
from .telling import (
    ANNOUNCE,
    LOCKS,
    RECORD_READERS,
    REPORT,
    RUN,
    Telling,
    last_lines,
    lasted,
    records,
    report_files,
)

FOLDED = ("called", "checked", "read", "webhook")
"""Labels of checks that share a line while they go well."""
COMMAND = "ansible-playbook "
TOLD_DURATION = 1.0
"""Seconds; what was quicker needs no duration."""


@dataclass
class _Pending:
    """The results of the task that runs now, until the next one begins."""

    began: float
    ended: float = 0.0
    results: list[TaskEnded] = field(default_factory=list)


class Console:
    """State of a run. `on` takes what happened and gives the lines to show, often none."""

    def __init__(self, *, verbose: bool = False) -> None:
        """`verbose`: Ansible shows the tasks, and only phases and the end are told."""
        self._verbose = verbose
        self.run: RunBegun | None = None
        self.screen: Screen | None = None
        self.live = Live()
        self.evidence: list[TaskEnded] = []
        """What failed for good, whole."""
        self.block = Block()
        self._pending: _Pending | None = None
        self._began: dict[str, float] = {}
        self._telling = Telling()
        self._checks: list[Fact] = []
        self._heading: list[Line] = []
        self._header = False
        self._ours = False
        self._columns = 80

    def on(self, event: Event, columns: int = 80) -> list[Line]:
        self._columns = columns
        if isinstance(event, RunBegun):
            self.run = event
            self.screen = Screen(event.plan, event.at, check=event.command.check)
            command = event.command
            self._telling = Telling(check=command.check, limited=bool(command.limit))
            return []
        if self.run is None or self.screen is None:
            return []
        if isinstance(event, PlayBegun):
            return self._play(event, self.screen)
        if isinstance(event, TaskBegun):
            return self._task(event)
        if isinstance(event, TaskEnded):
            return self._result(event, self.screen)
        if isinstance(event, Reported):
            return self._report(event)
        return self._end(event, self.run, self.screen)

    # --- plays -------------------------------------------------------------------------------------------------------

    def _play(self, event: PlayBegun, screen: Screen) -> list[Line]:
        lines = self._flush()
        if event.phase and screen.plan and not screen.plans(event.phase):
            return [*lines, *self._not_planned(event.phase)]
        self._ours = self._ours or event.ours or bool(event.phase)
        before = screen.current
        text = screen.play_started(event, event.at)
        if self._verbose:
            return text
        if screen.current is not before:
            # A phase that said nothing was gone through all the same.
            lines += self._said([], always=bool(before and before.number))
            self._heading = [Line(self._title(screen, event), "head")] if event.ours else []
        self.live.play(event, t.cast(Stage, screen.current).title)
        return lines

    def _not_planned(self, phase: str) -> list[Line]:
        """It ends at once, which is worth a line where it was asked for by name."""
        if phase not in t.cast("RunBegun", self.run).command.tags:
            return []
        return self._said([Line(f"{' ' * INDENT}- {phase} is not a phase of this release", "calm")])

    def _title(self, screen: Screen, event: PlayBegun) -> str:
        stage = t.cast(Stage, screen.current)
        now = self._clock(event.at)
        if not stage.number:
            title = clipped(one_line(stage.title), self._columns - RIGHT)
            return righted(title, now, self._columns)
        planned = f" · planned {span(stage.planned)}" if stage.planned else ""
        return f"{stage.number}/{len(screen.plan)} {stage.title} · {now}{planned}"

    def _clock(self, at: float) -> str:
        run = t.cast("RunBegun", self.run)
        return clock(run.clock + at - run.at)

    def _top(self) -> list[Line]:
        """The release, its place, its deployer; after it each phase has its heading."""
        run, screen = t.cast("RunBegun", self.run), t.cast("Screen", self.screen)
        what = f"Release {run.version}" if run.version else run.title
        where = f" → {run.environment}" if run.environment else ""
        stage = screen.current
        phased = bool(stage and stage.number)
        attempt = f"attempt {screen.earlier.attempt}" if phased else ""
        check = "check mode, nothing is changed" if run.command.check else ""
        parts = [
            f"{what}{where}",
            run.title if run.version else "",
            attempt,
            self.block.holder,
            check,
        ]
        earlier = screen.earlier.total if phased else 0
        before = f"{span(earlier)} in earlier runs" if earlier else ""
        text = " · ".join(filter(None, [*parts, before]))
        return [Line(entry, "head") for entry in hanging(text, self._columns)]

    def _said(self, lines: t.Sequence[Line], *, always: bool = False) -> list[Line]:
        """With the heading of the phase before the first of its lines."""
        if not lines and not self._checks and not always:
            return []
        top: list[Line] = []
        if not self._header:
            self._header = True
            top = self._top()
        heading, self._heading = self._heading, []
        return [*top, *heading, *self._checked(), *lines]

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _task(self, event: TaskBegun) -> list[Line]:
        self._began.setdefault(event.task.uid, event.at)
        self.live.task(event)
        if self._pending and self._pending.results[0].task.uid != event.task.uid:
            return self._flush()
        return []

    def _result(self, event: TaskEnded, screen: Screen) -> list[Line]:
        self.live.ended(event)
        if event.status == "skipped":
            return []
        lines: list[Line] = []
        if self._pending and self._pending.results[0].task.uid != event.task.uid:
            lines = self._flush()
        lines += self._note(event, screen)
        if self._pending is None:
            began = self._began.pop(event.task.uid, event.at)
            self._pending = _Pending(began)
        self._pending.ended = event.at
        self._pending.results.append(event)
        return lines

    def _note(self, event: TaskEnded, screen: Screen) -> list[Line]:
        """What later lines need to know."""
        lines: list[Line] = []
        action, result = event.task.action, event.result
        self._telling.note(event)
        if event.status in ("failed", "unreachable") and not event.ignored:
            self._failed(event, screen)
        if action in LOCKS and event.status == "ok" and not tells(result):
            lock = result.get("lock") or {}
            held = lock.get("held") and not lock.get("manual")
            self.block.holder = f"locked by {lock.get('holder')}" if held else ""
        if action in RECORD_READERS:
            lines = self._recorded(event, screen)
        if action == REPORT and event.status == "ok":
            self.block.report = {
                "verdict": str(result.get("verdict") or ""),
                "deviations": list(map(str, result.get("deviations") or ())),
                "files": report_files(result),
            }
        elif action == ANNOUNCE and self.evidence:
            text = receivers(Group(event.task.name, (Item(event.host, result),)))
            self.block.announced = still_told([*self.block.announced, *text])
        if result.get("changed") and not records(action, result) and event.status == "ok":
            screen.changed(event.host, event.task.name)
        return lines if self._verbose else []

    def _recorded(self, event: TaskEnded, screen: Screen) -> list[Line]:
        record = Record.of_result(event.result)
        if not record.exists:
            return []
        # What a run begins with is as it will be.
        if event.task.action != RUN and not event.task.check:
            self.block.story = replace(self.block.story, record=record)
        return screen.recorded(earlier_runs(record, t.cast("RunBegun", self.run).began))

    def _failed(self, event: TaskEnded, screen: Screen) -> None:
        result = event.result
        missing = tuple(map(str, result.get("missing_phases") or ()))
        if result.get("standing"):
            self.block.standing = dict(result["standing"])
            screen.begins_with(missing)
            if self.evidence:
                # The end of a phase repeats what failed in it.
                return
        why = sentence_of(result)
        self.evidence.append(event)
        text = next(iter(failed_rounds(result)), result)
        reason = str(text.get("reason") or ("InvalidInput" if "argument_errors" in text else ""))
        held, log = is_hold(reason), last_lines(text)
        other = str(text.get("unfinished") or text.get("later") or "")
        screen.failed(
            RunFailure(event.host, event.task.name, why, missing, held, reason, log, other)
        )
        lock = text.get("lock")
        self.block.story = replace(
            self.block.story,
            lock=lock if isinstance(lock, dict) else {},
            freeze=why if reason == FrozenError.reason else "",
            killed=why if reason == KilledError.reason else "",
        )

    # --- facts -------------------------------------------------------------------------------------------------------

    def _flush(self) -> list[Line]:
        pending, self._pending = self._pending, None
        if pending is None or self._verbose or not pending.results[0].task.ours:
            return []
        stage = t.cast("Screen", self.screen).current
        message = self._telling.said_in_lines(pending.results)
        if message:
            room = self._columns - INDENT
            # A command is there to be copied.
            parts = (
                part
                for text in message
                for part in ([text] if COMMAND in text else hanging(text, room))
            )
            return self._said([Line(f"{' ' * INDENT}{part}") for part in parts])
        facts = self._telling.facts(pending.results, failing=bool(self.evidence))
        if not (stage and stage.number):
            # The page is for those who wait for a deployment.
            facts = [fact for fact in facts if fact.label != "page"]
        if facts and all(fact.tone == "good" and fact.label in FOLDED for fact in facts):
            self._checks += facts
            return []
        self._keep_for_the_end(facts)
        took = max(pending.ended - pending.began, *map(lasted, pending.results), 0.0)
        return self._said(self._drawn(facts, stopwatch(took) if took >= TOLD_DURATION else ""))

    def _keep_for_the_end(self, facts: t.Sequence[Fact]) -> None:
        """What went wrong stands above the last block, which need not repeat it."""
        self.block.problems += [fact.text for fact in facts if fact.tone in ("bad", "warn")]

    def _drawn(self, facts: t.Sequence[Fact], beside: str) -> list[Line]:
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
        return self._drawn(checks, "")

    def differs(self, task: Task, host: str, diffs: t.Sequence[str]) -> list[Line]:
        """A difference that somebody asked for, whole, after the lines of the task before it."""
        before = self._pending and self._pending.results[0].task.uid != task.uid
        done = self._flush() if before else []
        heading = Line(f"    ± {bare(task.name)} · {host}", "head")
        text = [
            Line(f"      {line}") for diff in diffs for line in diff.splitlines() if line.strip()
        ]
        return [*done, *self._said([heading, *text])]

    # --- while a task runs, and the end -----------------------------------------------------------------------------

    def _report(self, event: Reported) -> list[Line]:
        fact = self.live.report(event)
        facts, beside = [fact] if fact else [], self._clock(event.at)
        if event.event == WAVE_ROLLED:
            facts, beside = self._telling.wave(event.data), _took(event.data)
            self._keep_for_the_end(facts)
        if self._verbose:
            return []
        return self._said(self._drawn(facts, beside))

    def waiting(self, now: float) -> list[Line]:
        """Of a run that has said nothing for long, where there is no line that is drawn anew."""
        text = self.live.text(now)
        return self._said([Line(clipped(f"    … {text}", self._columns), "calm")] if text else [])

    def _end(self, event: RunEnded, run: RunBegun, screen: Screen) -> list[Line]:
        lines = self._flush()
        lines += self._said([], always=event.ending == "done" and self._ours)
        text = screen.ended(event.ending, event.at)
        if not screen.stages or not self._ours:
            return lines
        lines = text if self._verbose else lines
        if event.ending == "done" and not self.block.report and _only_looked(screen):
            return lines
        draw = done_lines if event.ending == "done" else stopped_lines
        block = draw(
            screen, run, self.block, event, clock=self._clock(event.at), columns=self._columns
        )
        return [*lines, Line(""), *block]


def _took(wave: t.Mapping[str, t.Any]) -> str:
    """As long as the slowest of its services, "" for what was quick."""
    services: t.Mapping[str, t.Mapping[str, t.Any]] = wave.get("services") or {}
    took = max((float(result.get("duration") or 0) for result in services.values()), default=0.0)
    return stopwatch(took) if took >= TOLD_DURATION else ""


def _only_looked(screen: Screen) -> bool:
    """What such a playbook has said is its end."""
    return not any(stage.number or stage.changes for stage in screen.stages)
