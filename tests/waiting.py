# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for what happens on its own, and no longer than it may take."""

from __future__ import annotations

import time
import typing as t


def until(seen: t.Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.2)
