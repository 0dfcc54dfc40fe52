# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells when a run has said nothing for so long that somebody may think it hangs, and of which task."""

from __future__ import annotations

from dataclasses import dataclass

from .._words import listed
from .layout import span
from .models import Line

FIRST = 15.0
"""Seconds of silence until the first line; then twice as long each time, and no longer than MOST."""
MOST = 60.0
# Somebody is being asked at this terminal, and a line would fall into what they type.
ASKING = frozenset({"easymo.deploy.person_check", "ansible.builtin.pause", "pause"})


@dataclass(frozen=True)
class _Running:
    task: str
    asking: bool
    since: float


class IdleDetector:
    """Knows which tasks run on which hosts, and since when nothing was said."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], _Running] = {}
        self._said = 0.0
        self._patience = FIRST

    def said(self, now: float) -> None:
        self._said = now
        self._patience = FIRST

    def began(self, host: str, uid: str, task: str, action: str, now: float) -> None:
        self._running[(host, uid)] = _Running(task, action in ASKING, now)

    def ended(self, host: str, uid: str) -> None:
        self._running.pop((host, uid), None)

    def current(self) -> tuple[str, list[str]]:
        """The task that has run longest, and the hosts that it still runs on."""
        if not self._running:
            return "", []
        task = min(self._running.values(), key=lambda one: one.since).task
        return task, sorted(host for (host, _uid), one in self._running.items() if one.task == task)

    def beat(self, now: float) -> tuple[list[Line], float]:
        """The line that is due, if one is, and how many seconds later to ask again."""
        due = self._said + self._patience
        if not self._running or any(one.asking for one in self._running.values()):
            return [], FIRST
        if now < due:
            return [], due - now
        self._said, self._patience = now, min(MOST, self._patience * 2)
        task, hosts = self.current()
        since = min(one.since for one in self._running.values())
        line = f"Still at '{task}' on {listed(hosts)} after {span(now - since)}"
        return [Line(line, "calm")], self._patience
