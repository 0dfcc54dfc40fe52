"""Wait for what happens on its own. The bound only says that something hangs."""

import time
import typing as t


def until(seen: t.Callable[[], bool], seconds: float = 120) -> None:
    deadline, pause = time.monotonic() + seconds, 0.02
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(pause)
        pause = min(0.2, 2 * pause)
