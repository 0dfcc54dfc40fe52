# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Say how far a backup is, not oftener than people want to read it."""

from __future__ import annotations

import time
import typing as t

Reporter = t.Callable[[str, dict[str, t.Any]], None]

EVERY = 5.0
_MEGABYTE = 1_000_000


class Progress:
    """`report` gets one line for people, and the same as data."""

    def __init__(
        self, name: str, report: Reporter, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._report = report
        self._clock = clock
        self._began = self._last = clock()

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    def dumped(self, size: int) -> None:
        """Bytes so far."""
        if self._clock() - self._last >= EVERY:
            self._last = self._clock()
            self._emit(f"{size / _MEGABYTE:.0f} MB dumped, {self.seconds:.0f} s", "dump", size)

    def reading_back(self, size: int) -> None:
        self._emit(
            f"reading back {size / _MEGABYTE:.0f} MB, {self.seconds:.0f} s", "read back", size
        )

    def _emit(self, text: str, step: str, size: int) -> None:
        data = {"name": self._name, "step": step, "size": size, "seconds": round(self.seconds, 1)}
        self._report(f"{self._name}: {text}", data)
