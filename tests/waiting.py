"""Wait for what happens on its own, and no longer than it may take."""

import time
import typing as t


def until(seen: t.Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.2)
