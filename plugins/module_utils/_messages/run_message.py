# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One run in Slack: turns what happens into the newest headline and into replies of its thread."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._messages.board import Board
from ansible_collections.easymo.deploy.plugins.module_utils._messages.outbox import Outbox
from ansible_collections.easymo.deploy.plugins.module_utils._messages.redactor import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._progress import Progress

DRAIN = 3.0
"""Seconds that the end of a run waits for the last messages."""


class RunMessage:
    """Everything that is told of one run, redacted before it is written down."""

    def __init__(
        self,
        board: Board,
        outbox: Outbox,
        redact: Redactor,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._outbox = outbox
        self._redact = redact
        self._clock = clock
        self._over = False

    def play_started(self, name: str, total: int) -> None:
        self._board.play_started(self._redact(name), total, self._clock())

    def task_started(self, name: str) -> None:
        self._board.task_started(self._redact(name), self._clock())
        self._show()

    def host_done(self, host: str) -> None:
        self._board.host_done(host)
        self._show()

    def host_failed(self, host: str, task: str, why: str, *, unreachable: bool = False) -> None:
        name, cause = self._redact(task), self._redact(why)
        self._outbox.reply(self._board.host_failed(host, name, cause, unreachable=unreachable))
        self._show()

    def progressed(self, progress: Progress) -> None:
        line = self._board.progressed(progress.host, self._redact(progress.text))
        self._outbox.reply(line, gather=True)
        self._show()

    def finished(self, *, good: bool) -> int:
        """Ends the run; returns how many messages were lost."""
        return self._end(self._board.finished(self._clock(), good=good), DRAIN)

    def interrupted(self) -> int:
        return self._end(self._board.interrupted(self._clock()), DRAIN)

    def _end(self, alarm: str, drain: float) -> int:
        if self._over:
            return 0
        self._over = True
        if alarm:
            self._outbox.reply(alarm)
        self._show(last=True)
        return self._outbox.close(drain)

    def _show(self, *, last: bool = False) -> None:
        self._outbox.headline(self._board.render(self._clock()), last=last)
