# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One run in Slack: turns what happens into the newest headline of its release and into replies of the thread."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._messages import headline
from ansible_collections.easymo.deploy.plugins.module_utils._messages.board import (
    Board,
    Failure,
    Play,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.memory import Memory
from ansible_collections.easymo.deploy.plugins.module_utils._messages.mrkdwn import (
    code,
    plain,
    shortened,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.outbox import Outbox
from ansible_collections.easymo.deploy.plugins.module_utils._messages.recorded import (
    Reading,
    read_attempt,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.redactor import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._progress import Progress

DRAIN = 3.0
"""Seconds that the end of a run waits for the last messages."""


class RunMessage:
    """Everything that is told of one run, redacted before it is written down.

    A message that an earlier run left is edited once the release record has told that it is this attempt's.
    """

    def __init__(
        self,
        board: Board,
        outbox: Outbox,
        redact: Redactor,
        memory: Memory,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._outbox = outbox
        self._redact = redact
        self._memory = memory
        self._clock = clock
        self._over = False
        self._settled = memory.kept is None
        """Whether it is known which message is edited."""
        if not self._settled:
            outbox.wait()

    def play_started(self, name: str, phase: str, hosts: int) -> None:
        self._board.play_started(Play(self._redact(name), phase, hosts), self._clock())

    def task_started(self, name: str) -> None:
        self._board.task_started(self._redact(name), self._clock())
        self._show()

    def host_done(self, host: str, action: str = "") -> None:
        self._board.host_done(host, action)
        self._show()

    def host_failed(self, host: str, task: str, why: str, reason: str = "") -> None:
        step = self._board.steps[-1].name if self._board.steps else self._board.release.playbook
        failure = Failure(step, host, self._redact(task), self._redact(why), reason)
        if self._board.host_failed(failure):
            self._outbox.reply(headline.detail(failure), detail=True)
        self._show()

    def progressed(self, progress: Progress) -> None:
        text = self._redact(progress.text)
        self._board.progressed(progress.host, text)
        if progress.event == "MetricsSampled":
            self._measured(progress.data)
        line = f"{code(progress.host)} {plain(shortened(text, 300))}"
        self._outbox.reply(line, detail=True, gather=True)
        self._show()

    def _measured(self, data: t.Mapping[str, t.Any]) -> None:
        values, marks = data.get("values"), data.get("marks")
        if isinstance(values, dict):
            units = self._board.release.units
            told = marks if isinstance(marks, dict) else {}
            self._board.measured(
                Reading(name, value, units.get(name, ""), str(told.get(name, "")))
                for name, value in values.items()
                if value is None or isinstance(value, (int, float))
            )

    def record_seen(self, record: t.Any) -> None:
        attempt = read_attempt(record)
        if attempt is None:
            return
        if attempt.status == "rolled_back" and self._board.deploys:
            return  # opening a phase begins the next attempt
        before = self._board.attempt
        self._board.record_seen(attempt)
        if before and self._settled and before.identity != attempt.identity:
            self._memory.forget()
            self._outbox.begin("", "")
        elif not self._settled:
            self._settle(attempt.identity)
        self._memory.belongs(attempt.identity)
        self._show()

    def _settle(self, identity: tuple[int, str] | None) -> None:
        """The kept message is edited if it is this attempt's, or if nobody can tell."""
        self._settled = True
        kept = self._memory.kept
        if kept and (identity is None or kept.belongs_to(identity)):
            self._outbox.begin(kept.channel, kept.ts)
        else:
            self._memory.forget()
            self._outbox.begin("", "")

    def finished(self, *, good: bool) -> int:
        """Ends the run; returns how many messages were lost."""
        self._board.finished(self._clock(), good=good)
        return self._end()

    def interrupted(self) -> int:
        self._board.interrupted(self._clock())
        return self._end()

    def _end(self) -> int:
        if self._over:
            return 0
        self._over = True
        alarm = headline.alarm(self._board)
        if alarm:
            self._outbox.reply(alarm, broadcast=True)
        if self._settled:
            self._show(last=True)
        else:
            # Without a record the message would lose what earlier runs wrote into it: only its thread is told.
            self._settle(None)
        return self._outbox.close(DRAIN)

    def _show(self, *, last: bool = False) -> None:
        if self._settled:
            self._outbox.headline(headline.render(self._board, self._clock()), last=last)
