"""The processes of one ansible-playbook, for tests that kill them.

Each worker of ansible-core leads a session of its own, and the keeper of the lock is nobody's child: a signal to the
group that was started reaches neither. What all of them carry is the environment that the run began with.
"""

import os
import signal
import subprocess
import typing as t
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "EASYMO_TEST_RUN"

Way = t.Literal["everything", "parent"]
"""All that the run started, or ansible-playbook alone."""


class Victim:
    """A run of ansible-playbook that somebody is going to kill; what it prints goes to `output`."""

    def __init__(
        self,
        argv: t.Sequence[str | Path],
        folder: Path,
        environment: t.Mapping[str, str],
        output: int | t.IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        self._mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**environment, MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self, way: Way) -> None:
        """SIGKILL."""
        if way == "everything":
            _kill_all(self._mark)
        self.process.kill()
        self.process.wait(30)


def left(marked: str) -> list[psutil.Process]:
    """What is there of the run still."""
    entry = f"{MARK}={marked}".encode()
    found = []
    for each in psutil.process_iter():
        with suppress(OSError):
            environment = Path(f"/proc/{each.pid}/environ").read_bytes()
            if entry in environment.split(b"\0"):
                found.append(each)
    return found


def _kill_all(marked: str) -> None:
    """Whoever is stopped forks no more, so the second look sees all there are."""
    before: set[int] = set()
    while True:
        found = left(marked)
        for one in found:
            _signal(one, signal.SIGSTOP)
        pids = {one.pid for one in found}
        if pids <= before:
            break
        before |= pids
    for one in found:
        _signal(one, signal.SIGKILL)


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error, ProcessLookupError):
        os.kill(process.pid, number)
