"""Wait for what happens on its own, and no longer than it may take."""

import time
import typing as t


def until(seen: t.Callable[[], bool], seconds: float = 60) -> None:
    deadline, pause = time.monotonic() + seconds, 0.02
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(pause)
        pause = min(0.2, 2 * pause)
