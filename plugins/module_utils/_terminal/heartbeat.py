# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that asks from time to time, for nothing calls a callback while a task is silent."""

from __future__ import annotations

import threading
import typing as t


class Heartbeat:
    """Calls `beat` until it is stopped; `beat` tells after how many seconds it wants to be called again."""

    SHORTEST = 0.1

    def __init__(self, beat: t.Callable[[], float]) -> None:
        self._beat = beat
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        delay = self._beat()
        while not self._over.wait(max(self.SHORTEST, delay)):
            delay = self._beat()
