# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is: its phases, from its events, for the terminal and for Slack alike. Knows no clock.

And what goes on now, in one line that a terminal draws anew, with the thread that asks for it.
"""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

from .._formats import listed, one_line, shortened, stopwatch
from .._progress import LOST, NEWS, WAVE_ROLLED
from .._story.plan import Plan
from . import models
from .layout import bare


@dataclass
class Stage:
    """A phase, or a play that is none, as far as it is in this run. Times are seconds on one clock.

    `number` is 0 for what is not planned. `rolled`: those of its hosts that are through. `missing`: the phases that the
    next run has to begin with, for what was switched off.
    """

    name: str
    phase: str
    title: str
    number: int
    planned: float
    started: float
    finished: float | None = None
    changed: bool = False
    hosts: set[str] = field(default_factory=set)
    rolled: set[str] = field(default_factory=set)
    failures: list[models.RunFailure] = field(default_factory=list)
    missing: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        return self.finished is None

    @property
    def failed(self) -> set[str]:
        return {failure.host for failure in self.failures}

    @property
    def cause(self) -> models.RunFailure | None:
        return models.stopped_by(self.failures) if self.failures else None


class PlaybookState:
    """State of a run, which `started` at that time; `ending` is None while it goes on."""

    def __init__(self, plan: Plan, started: float) -> None:
        self.plan = plan
        self.started = started
        self.stages: list[Stage] = []
        self.ending: models.Ending | None = None

    @property
    def current(self) -> Stage | None:
        stage = self.stages[-1] if self.stages else None
        return stage if stage and stage.live else None

    def has(self, phase: str) -> bool:
        """Whether a play of this phase does anything: that of one which the release does not have ends at once."""
        return not (phase and self.plan) or bool(self.plan.number(phase))

    def begin(self, play: models.PlayBegun, now: float) -> bool:
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

    def close(self, now: float, ending: models.Ending | None = None) -> None:
        """The last stage ends, and with an `ending` the run."""
        if stage := self.current:
            stage.finished = now
        self.ending = ending


SHORTEST = 0.1


def heartbeat(beat: t.Callable[[], float]) -> t.Callable[[], None]:
    """Calls `beat`, which tells after how many seconds it is due again, until what is returned is called."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(max(SHORTEST, beat())):
            pass

    threading.Thread(target=run, name="pulse", daemon=True).start()
    return over.set


FIRST = 15.0
"""Seconds of silence until the first line; then twice as long each time, and no longer than MOST."""
MOST = 60.0
# Somebody is being asked at this terminal, and a line would fall into what they type.
ASKING = frozenset({"easymo.deploy.person_check", "ansible.builtin.pause", "pause"})
LOOKS = 6
"""How many looks of a watch a log has, beside those at which something changed."""
SHORT = 1.0
"""Seconds before which a task is not told by its name."""
SOONEST = 60.0
VALUES = 96
"""Columns of a look's values: the metrics are in the order of their weight."""

TONES: t.Mapping[str, models.Tone] = {
    "done": "good",
    "running": "calm",
    "failed": "bad",
    "on_hold": "warn",
    "unseen": "warn",
    "rolled_back": "warn",
}
"""Of news about a phase, by its `status`."""


class Live:
    """Knows the tasks that run, what they reported last, and since when the run prints nothing."""

    def __init__(self) -> None:
        self._printed, self._patience = 0.0, FIRST
        self._running: dict[tuple[str, str], models.TaskBegun] = {}
        self._title, self._since = "", 0.0
        self._pods: dict[str, tuple[int, int, bool]] = {}
        self._last = ""
        self._look: tuple[float, dict[str, str]] | None = None

    def play(self, event: models.PlayBegun, title: str) -> None:
        self._pods, self._last, self._look = {}, "", None
        if title != self._title:
            self._title, self._since = one_line(title), event.at

    def task(self, event: models.TaskBegun) -> None:
        if not self._running:
            self._last, self._look = "", None
        self._running[(event.host, event.task.uid)] = event

    def ended(self, event: models.TaskEnded) -> None:
        self._running.pop((event.host, event.task.uid), None)
        if not self._running:
            self._pods, self._last = {}, ""

    @property
    def asking(self) -> bool:
        """Somebody types at this terminal."""
        return any(entry.task.action in ASKING for entry in self._running.values())

    def printed(self, now: float) -> None:
        self._printed, self._patience = now, FIRST

    def due(self, now: float) -> tuple[bool, float]:
        """Whether a line is due after a long silence, and after how many seconds to ask again."""
        due = self._printed + self._patience
        if not self._running or self.asking:
            return False, FIRST
        if now < due:
            return False, due - now
        self._printed, self._patience = now, min(MOST, self._patience * 2)
        return True, self._patience

    def text(self, now: float) -> str:
        """ "" while nothing runs."""
        if not self._running or self.asking:
            return ""
        # The one that has run longest.
        first = min(self._running.values(), key=lambda begun: begun.at)
        hosts = sorted({host for host, _uid in self._running} - {"localhost"})
        if not self._pods and now - first.at < SHORT:
            # A task that is over at once, or skipped, is not what goes on.
            return f"{stopwatch(now - self._since)}  {self._title}"
        name = bare(first.task.name)
        what = self._waves() or self._last or name
        where = f" · {listed(hosts, 2)}" if hosts and what == name else ""
        return f"{stopwatch(now - first.at)}  {what}{where}"

    def _waves(self) -> str:
        if not self._pods:
            return ""
        done = [name for name, (_ready, _all, complete) in self._pods.items() if complete]
        left = [
            f"{name.removesuffix('-service')} {ready}/{desired}"
            for name, (ready, desired, complete) in self._pods.items()
            if not complete
        ]
        waiting = f" · waiting: {', '.join(left)}" if left else " · complete, watched"
        return f"{len(done)}/{len(self._pods)} services{waiting}"

    def report(self, event: models.Reported) -> models.Fact | None:
        """What a log keeps of it: news, of a watch some looks, of all else nothing, for its result is told."""
        data = event.data
        if "desired" in data and "deployment" in data:
            updated, desired = int(data.get("updated") or 0), int(data["desired"])
            available = int(data.get("available") or 0)
            before = self._pods.get(str(data["deployment"]), (0, 0, False))
            complete = before[2] or (" old left" not in event.text and updated == desired)
            ready = min(updated, available)
            self._pods[str(data["deployment"])] = (ready, desired, complete and ready == desired)
            return None
        self._last = one_line(event.text)
        if event.event == WAVE_ROLLED:
            # A later wave may be under way.
            ended = data.get("services") or {}
            self._pods = {name: pods for name, pods in self._pods.items() if name not in ended}
            return None
        if event.event in NEWS or event.event == LOST:
            return models.Fact("", one_line(event.text), TONES.get(str(data.get("status")), ""))
        return self._sampled(data, event) if event.event == "MetricsSampled" else None

    def _sampled(self, data: t.Mapping[str, t.Any], event: models.Reported) -> models.Fact | None:
        elapsed, duration = float(data.get("elapsed") or 0), float(data.get("duration") or 0)
        statuses: t.Mapping[str, str] = {
            metric["name"]: metric["status"] for metric in data.get("metrics") or []
        }
        look, due = (elapsed, {**statuses}), max(SOONEST, duration / LOOKS)
        known = self._look and self._look[1] == look[1] and elapsed < self._look[0] + due
        if known or not duration:
            return None
        self._look = look
        rest = [f"{name} {status}" for name, status in statuses.items() if status != "good"]
        sentence = f"{len(statuses) - len(rest)}/{len(statuses)} good"
        if not rest:
            values = shortened(one_line(event.text).partition(": ")[2], VALUES)
            return models.Fact("look", f"{sentence} · {values}")
        bad = {"bad", "breach", "failed"} & {*statuses.values()}
        return models.Fact("look", f"{sentence}, {listed(rest)}", "bad" if bad else "warn")
