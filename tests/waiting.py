"""Wait for what happens on its own. The bound only says that something hangs."""

import os
import re
import time
import typing as t
from pathlib import Path


def until(seen: t.Callable[[], bool], seconds: float = 120) -> None:
    deadline, pause = time.monotonic() + seconds, 0.02
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(pause)
        pause = min(0.2, 2 * pause)


def until_next_second() -> None:
    """For names and events that have whole seconds."""
    second = int(time.time())
    until(lambda: int(time.time()) > second)


def until_ansible_reads(pid: int) -> None:
    """What is typed, without blocking, after it threw away what was typed before; or until the process ends."""
    flags = Path(f"/proc/{pid}/fdinfo/0")

    def reads() -> bool:
        try:
            opened = re.search(r"flags:\s*(\d+)", flags.read_text())
        except OSError:
            return True
        return bool(opened and int(opened[1], 8) & os.O_NONBLOCK)

    until(reads)
