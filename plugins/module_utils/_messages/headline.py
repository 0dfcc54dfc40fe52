# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a release while a run goes on, the record's phases and what this run does in them, and its words.

Knows neither Ansible nor Slack's API. The words are mrkdwn: names and errors come from outside and are escaped here.
Times are seconds since the epoch, as in the record.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._formats import lasting, listed, quantity, shortened, span, stopwatch
from .._gate.report import judged_as
from .._release.models import DONE, NOT_READY, ROLLED_BACK, SERVICES_PHASE, WATCH_PHASE
from .._release.order import standing
from .._release.record import DECIDED, Act, Record, RecordedMetric
from .._report.models import PhaseRow, ReportOptions
from .._report.phases import NOT_RUN, phase_row, phase_rows, took_words
from .._story.plan import UNPLANNED, Plan
from .._terminal.models import RunFailure, other_causes, stopped_by
from .._terminal.run import PlaybookState, Stage
from .._time import epoch
from .slack import code_block, escape, mention, plain


@dataclass(frozen=True)
class Release:
    """`on_call` is an id in Slack or only a name, "" for no contact.

    `links` are what each is called, and where it leads.
    """

    title: str
    playbook: str
    environment: str = ""
    on_call: str = ""
    on_call_name: str = ""
    plan: Plan = UNPLANNED
    links: tuple[tuple[str, str], ...] = ()


class ReleaseStatus(PlaybookState):
    """State of a release as this run sees it."""

    def __init__(self, release: Release, started: float) -> None:
        super().__init__(release.plan, started)
        self.release = release
        self.record = Record()
        """Of the attempt; one without a number until it was seen."""
        self.readings: tuple[RecordedMetric, ...] = ()
        self.touched = False
        """Whether this run has changed anything: one that was refused has not."""

    @property
    def deploys(self) -> bool:
        """Whether this run takes the release through its phases, and does nothing else."""
        return any(stage.phase for stage in self.stages) or not self.stages

    @property
    def failures(self) -> list[RunFailure]:
        return [failure for stage in self.stages for failure in stage.failures]

    @property
    def held(self) -> bool:
        """Whether what stopped this run is a hold, and no failure."""
        return bool(self.failures) and self.failures[0].held

    @property
    def refused(self) -> bool:
        """Whether the first phase found that the release is not ready. It only looks, so nothing was touched."""
        failed = next((stage for stage in self.stages if stage.failures), None)
        first = bool(failed and failed.number == 1)
        return first and self.failures[0].reason in NOT_READY

    def failed(self, failure: RunFailure, *, stops: bool = False) -> bool:
        """Notes it, and tells whether it says anything that an earlier one did not.

        `stops`: of a task that stops the phase. Where that quotes what failed before, its own host did not fail.
        """
        news = not any(known.sentence in failure.sentence for known in self.failures)
        if self.stages and (news or not stops):
            self.stages[-1].failures.append(failure)
        return news

    def measured(self, readings: t.Iterable[RecordedMetric]) -> None:
        """The newest of each metric counts: the sign-off looks at the alerts alone."""
        known = {reading.name: reading for reading in self.readings}
        self.readings = tuple((known | {reading.name: reading for reading in readings}).values())

    def record_seen(self, record: Record) -> None:
        if self.record.attempt and self.record.identity != record.identity:
            self.readings = ()
        self.record = record


OTHER_RUNS = {
    "rollback.yml": ("↩️", "Rollback"),
    "restore_databases.yml": ("↩️", "Restore of the databases"),
    "ramp.yml": ("📈", "Ramp"),
    "kill_switch.yml": ("🛑", "Kill switch"),
    "decide.yml": ("⚖️", "Decision"),
}
STATUS_SIGNS = {"good": "🟢", "between": "🟡", "breach": "🔴", "missing": "⚪"}


def title(status: ReleaseStatus, called: str = "") -> str:
    mark, words = state_words(status)
    place = f" · {plain(status.release.environment)}" if status.release.environment else ""
    return f"{mark} {called}*{plain(status.release.title)}* {words}{place}"


def state_words(status: ReleaseStatus) -> tuple[str, str]:
    """The mark of the run, and what became of it."""
    playbook = status.release.playbook
    mark, name = OTHER_RUNS.get(playbook, ("⚙️", plain(playbook)))
    what, held = "" if status.deploys else f"· {name} ", status.ending == "failed" and status.held
    if status.ending in ("failed", "interrupted"):
        stages = (f" in {plain(stage.title)}" for stage in status.stages if stage.failures)
        where = next(stages, "") if status.deploys and status.ending == "failed" else ""
        words = {"failed": "is on hold" if held else "stopped", "interrupted": "was interrupted"}
        return ("⏸️" if held else "🛑"), f"{what}{words[status.ending]}{where}"
    if status.deploys and standing(status.record) == DONE:
        return "✅", "is deployed"
    if status.deploys and status.ending:
        done = sum(status.record.phase(phase).settled for phase in status.plan.names)
        of = f": {done} of {len(status.plan)} phases are done" if status.plan else ""
        return "☑️", f"run finished{of}"
    if status.ending:
        whole = status.record.status == ROLLED_BACK and mark == "↩️"
        return mark, "was rolled back" if whole else f"· {name}: run finished"
    return ("🚀", "is being deployed") if status.deploys else (mark, f"{what}is running")


def context(status: ReleaseStatus, now: float) -> str:
    """Which attempt, how long it has taken against the plan, and who is on call."""
    record = status.record
    began = epoch(record.started) or status.started
    ended = (epoch(record.finished) if status.ending else None) or now
    minutes = sum(entry.minutes for entry in status.plan) if status.deploys else 0
    spent = f"`{stopwatch(ended - began)}`" + (f" of {span(60 * minutes)}" if minutes else "")
    caller = status.release.on_call_name
    parts = [
        f"attempt {record.attempt}" if record.attempt else "",
        spent,
        f"on call: {plain(caller)}" if caller else "",
    ]
    return " · ".join(filter(None, parts))


PHASE_MARKS: t.Mapping[str, str] = {
    NOT_RUN: "▫️",
    "running": "⏳",
    "done": "✅",
    "waived": "⚠️",
    "failed": "❌",
    "on hold": "⏸️",
    "rolled back": "↩️",
    "partly rolled back": "↩️",
}
UNSAID = frozenset({NOT_RUN, "running", "done"})
"""What a mark says alone."""


def phase_lines(status: ReleaseStatus, now: float) -> list[str]:
    """Of each phase as the report has it, then of the newest plays of another run than a deployment."""
    stages = {stage.phase: stage for stage in status.stages if stage.phase}
    lines = []
    for row in phase_rows(status.record, ReportOptions(status.plan)):
        stage = stages.get(row.name)
        if stage and not status.record.phase(row.name).settled:
            # What this run does, or has seen fail, is recorded a moment later.
            stopped = "on hold" if any(failure.held for failure in stage.failures) else "failed"
            word = stopped if stage.failures else "running"
            row = replace(row, status=word, actual=round(time_in(stage, now)))
        lines.append(phase_line(row, live=bool(stage and stage.live)))
    plays = [stage for stage in status.stages if not stage.phase][-PLAYS:]
    return lines + [play_line(stage, now) for stage in plays]


def phase_line(row: PhaseRow, *, live: bool = False) -> str:
    """`live`: this run is in it. What another run left running says nothing of its time."""
    left, name = row.status == "running" and not live, plain(row.title)
    mark = "❔" if left else PHASE_MARKS.get(row.status, "❔")
    took = "" if left or row.status == "waived" else took_words(row)
    word = "not finished" if left else "" if row.status in UNSAID else row.status
    return " · ".join(filter(None, [f"{mark} *{name}*" if live else f"{mark} {name}", took, word]))


def play_line(stage: Stage, now: float) -> str:
    mark = "❌" if stage.failures else "⏳" if stage.live else "✅"
    return f"{mark} {plain(shortened(stage.title, 120))} · {lasting(round(time_in(stage, now)))}"


def time_in(stage: Stage, now: float) -> float:
    return (now if stage.finished is None else stage.finished) - stage.started


def phase_ended(status: ReleaseStatus, name: str) -> str:
    """The one line of the thread about a phase that was settled."""
    phase = status.record.phase(name)
    row = phase_row(status.plan.phase(name), phase, ReportOptions(status.plan))
    act = phase.evidence.decision or Act()
    decided = (
        f"{DECIDED[act.decision]} by {act.by}: {act.reason}" if act.decision in DECIDED else ""
    )
    return " · ".join(filter(None, [phase_line(row), plain(decided)]))


def reading_words(reading: RecordedMetric) -> str:
    mark = STATUS_SIGNS.get(judged_as(reading), "")
    name = plain(reading.name.replace("_", " "))
    return f"{mark} {name} {plain(quantity(reading.newest, reading.unit))}".strip()


def detail(failure: RunFailure) -> str:
    """The reply about one failure, as it happens."""
    return f"❌ {code_block(f'{failure.where}{failure.sentence}')}"


def alarm(status: ReleaseStatus) -> str:
    """The one reply that calls somebody: what stopped, and why. "" after a good end, and when nothing was touched."""
    if status.ending in (None, "done") or not status.touched:
        return ""
    called = ""
    # Who interrupts the run knows it.
    if status.release.on_call and not status.refused and status.ending != "interrupted":
        called = mention(status.release.on_call)
        called += " " if called.startswith("<") else " (only a name: not notified) "
    return "\n".join([title(status, called), *cause(status, WHOLE)])


TEXT = 3_800
"""Slack folds a text that is longer."""
LINKS, NAME, ADDRESS = 5, 60, 300
"""More than five links are no choice, and longer ones would leave no room."""
CAUSE, WHOLE, OTHER_CAUSE = 580, 1_500, 140
"""Characters of the cause, each of which may become five."""
SHOWN_NAMES, PLAYS, METRICS, OTHERS = 12, 20, 10, 4
WORST_FIRST = {"breach": 0, "missing": 1, "between": 2}


def render(status: ReleaseStatus, now: float) -> str:
    """By weight, for what is too long loses its end, but for the links."""
    links = "".join(
        f"\n{plain(shortened(text, NAME))}: {address}"
        for text, url in status.release.links[:LINKS]
        if len(address := escape(url)) <= ADDRESS
    )
    lines = [
        title(status),
        context(status, now),
        *cause(status, CAUSE),
        *phase_lines(status, now),
        *services(status),
        # Of this run's watch, else as the record keeps them.
        metrics(status.readings or status.record.evidence(WATCH_PHASE).metrics),
    ]
    return shortened("\n".join(filter(None, lines)), TEXT - len(links)) + links


def services(status: ReleaseStatus) -> list[str]:
    """Those that this run rolls."""
    lines = []
    stage = next((entry for entry in status.stages if entry.phase == SERVICES_PHASE), None)
    if stage and (stage.live or stage.failed):
        done = sorted(stage.rolled - stage.failed)
        hosts = (stage.hosts | stage.rolled) - {"localhost"}
        lines.append(f"*Services* {len(done)} of {len(hosts)}")
        lines += [f"✅ {named(done)}"] if done else []
    if stage and stage.failed:
        lines.append(f"❌ {named(sorted(stage.failed))}")
    return lines


def named(names: t.Sequence[str]) -> str:
    return listed([plain(shortened(name, 60)) for name in names], SHOWN_NAMES)


def metrics(readings: t.Sequence[RecordedMetric]) -> str:
    """Of many the worst."""
    ordered = sorted(readings, key=lambda reading: WORST_FIRST.get(judged_as(reading), 3))
    chosen = ordered if len(ordered) <= METRICS else ordered[: METRICS - 1]
    more = len(ordered) - len(chosen)
    return " · ".join([*map(reading_words, chosen), *([f"and {more} more"] if more else [])])


def cause(status: ReleaseStatus, limit: int) -> list[str]:
    """The first failure in short, and the others in a line each; the thread has them whole."""
    if not status.failures:
        return []
    failure = stopped_by(status.failures)
    others = other_causes(failure.sentence, ((of.host, of.sentence) for of in status.failures))
    lines = [plain(shortened(text, OTHER_CAUSE)) for text in others[:OTHERS]]
    more = [f"and {len(others) - OTHERS} more"] if others[OTHERS:] else []
    return [code_block(f"{failure.where}{failure.sentence}", limit), *lines, *more]
