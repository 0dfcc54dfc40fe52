# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one message of a run: what its phases did so far, told from plain events and written as mrkdwn.

Knows neither Ansible nor Slack. Names and errors come from outside and are escaped here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._messages.mrkdwn import (
    code,
    code_block,
    mention,
    plain,
    shortened,
)

HEADLINE_LIMIT = 3_800
SHOWN_PROGRESS = 4

HostState = t.Literal["ok", "failed", "rescued", "unreachable"]


@dataclass
class Phase:
    """One play: since when, and how far each host is. Times are seconds on one clock."""

    name: str
    total: int
    started: float
    finished: float | None = None
    task: str = ""
    hosts: dict[str, HostState] = field(default_factory=dict)
    progress: dict[str, str] = field(default_factory=dict)

    def count(self, state: HostState) -> int:
        return sum(1 for known in self.hosts.values() if known == state)

    @property
    def bad(self) -> bool:
        return bool(self.count("failed") or self.count("unreachable"))


@dataclass(frozen=True)
class Failure:
    phase: str
    host: str
    task: str
    sentence: str


class Board:
    """State of a run. `on_call` is who is mentioned when it ends badly, "" for nobody."""

    def __init__(self, title: str, playbook: str, started: float, on_call: str = "") -> None:
        self._title = title
        self._playbook = playbook
        self._started = started
        self._on_call = on_call
        self._announced: tuple[str, int] = ("", 0)
        self._outcome: t.Literal["", "done", "failed", "interrupted"] = ""
        self.phases: list[Phase] = []
        self.failures: list[Failure] = []

    def play_started(self, name: str, total: int, now: float) -> None:
        """A play counts as a phase once a task of it runs: unselected plays are announced too."""
        if self.phases and self.phases[-1].name == name:
            return  # the next batch of a serial play
        self._close_phase(now)
        self._announced = (name, total)

    def task_started(self, name: str, now: float) -> None:
        if self._announced[0]:
            self.phases.append(Phase(*self._announced, started=now))
            self._announced = ("", 0)
        if self.phases:
            self.phases[-1].task = name

    def host_done(self, host: str) -> None:
        """It finished a task well. If it had failed before, a rescue is what brought it on."""
        if self.phases:
            hosts = self.phases[-1].hosts
            hosts[host] = "rescued" if hosts.get(host) in ("failed", "rescued") else "ok"

    def host_failed(self, host: str, task: str, sentence: str, *, unreachable: bool = False) -> str:
        """Notes the failure and gives the reply for the thread."""
        phase = self.phases[-1] if self.phases else Phase(self._playbook, 0, self._started)
        phase.hosts[host] = "unreachable" if unreachable else "failed"
        self.failures.append(Failure(phase.name, host, task, sentence))
        verb = "is unreachable" if unreachable else "failed"
        return f"❌ {code(host)} {verb} in {code(task)}\n{code_block(sentence)}"

    def progressed(self, host: str, text: str) -> str:
        """Keeps the newest line of each host and gives the line for the thread."""
        if self.phases:
            self.phases[-1].progress.pop(host, None)
            self.phases[-1].progress[host] = text
        return f"{code(host)} {plain(shortened(text, 300))}"

    def finished(self, now: float, *, good: bool) -> str:
        """Ends the run and gives the reply that calls somebody, "" when nobody need be called."""
        self._close_phase(now)
        self._outcome = "done" if good else "failed"
        if good:
            return ""
        return self._alarm("stopped")

    def interrupted(self, now: float) -> str:
        self._close_phase(now)
        self._outcome = "interrupted"
        return self._alarm("was interrupted")

    def _alarm(self, verb: str) -> str:
        called = f"{mention(self._on_call)} " if self._on_call else ""
        text = f"🛑 {called}*{plain(self._title)}* {verb}"
        if not self.failures:
            return f"{text}."
        cause = self.failures[0]
        where = f" in {plain(cause.phase)} on {code(cause.host)}"
        return f"{text}{where}, {code(cause.task)}:\n{code_block(cause.sentence)}"

    def _close_phase(self, now: float) -> None:
        if self.phases and self.phases[-1].finished is None:
            self.phases[-1].finished = now
            self.phases[-1].progress.clear()

    def render(self, now: float) -> str:
        """The whole message, within HEADLINE_LIMIT characters: the oldest phases give way."""
        lines = [line for phase in self.phases for line in self._phase_lines(phase, now)]
        head = self._head(now)
        left_out = False
        while lines and len("\n".join([head, *lines])) > HEADLINE_LIMIT:
            lines.pop(0)
            left_out = True
        return "\n".join([head, *(["…"] if left_out else []), *lines])

    def _head(self, now: float) -> str:
        mark, word = {
            "": ("🚀", "in progress"),
            "done": ("✅", "finished"),
            "failed": ("🛑", "stopped"),
            "interrupted": ("🛑", "interrupted"),
        }[self._outcome]
        title = f"{mark} *{plain(self._title)}* {word}"
        return f"{title} · {plain(self._playbook)} · {duration(now - self._started)}"

    def _phase_lines(self, phase: Phase, now: float) -> t.Iterator[str]:
        running = phase.finished is None
        name = f"*{plain(phase.name)}*" if running else plain(phase.name)
        spent = duration((now if phase.finished is None else phase.finished) - phase.started)
        parts = [f"{self._mark(phase)} {name}", f"`{spent}`", hosts_in_words(phase)]
        if running and phase.task:
            parts.append(f"_{plain(shortened(phase.task, 80))}_")
        yield " · ".join(part for part in parts if part)
        if running:
            for host, text in list(phase.progress.items())[-SHOWN_PROGRESS:]:
                yield f"      {code(host)} {plain(shortened(text, 120))}"

    def _mark(self, phase: Phase) -> str:
        if phase.bad:
            return "❌"
        if self._outcome == "interrupted" and phase is self.phases[-1]:
            return "🛑"
        if phase.count("rescued"):
            return "⚠️"
        return "⏳" if phase.finished is None else "✅"


def hosts_in_words(phase: Phase) -> str:
    seen = len(phase.hosts)
    total = max(phase.total, seen)
    if total == 0:
        return ""
    noun = "host" if total == 1 else "hosts"
    words = f"{seen} of {total} {noun}" if seen < total else f"{total} {noun}"
    troubles = [
        f"{phase.count(state)} {state}"
        for state in ("failed", "unreachable", "rescued")
        if phase.count(state)
    ]
    return ", ".join([words, *troubles])


def duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
