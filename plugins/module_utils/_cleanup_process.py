# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A process beside ours that tidies up after us when we are killed, SIGKILL included.

It is forked, so it knows all that we know and nothing stands in anybody's arguments, and it waits on a pipe that only
we hold open. What comes through is notes for it, or the word that it is not needed; its end without that word is our
death.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import typing as t
from contextlib import contextmanager, suppress

Executor = t.Callable[[t.Sequence[str]], None]

_DONE = "done"
_FIRST = 3
_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)
_IGNORED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class CleanupNotes:
    """What is to be done when we die; `leave_it` has it done after a failure as well."""

    def __init__(self, pipe: int, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid
        self._left = False

    def note(self, text: str) -> None:
        """One line that the executor gets to read."""
        self._write(text)

    def leave_it(self) -> None:
        """Have it executed when the block ends, on its own time."""
        self._left = True

    def close(self) -> None:
        if not self._left:
            self._write(_DONE)
        os.close(self._pipe)
        if not self._left:
            # It ends at once, and is no zombie then.
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)

    def _write(self, text: str) -> None:
        # Whoever killed it has decided that we go without.
        with suppress(BrokenPipeError):
            os.write(self._pipe, f"{text}\n".encode())


@contextmanager
def cleanup_process(execute: Executor) -> t.Iterator[CleanupNotes]:
    """`execute` gets the notes when this process dies in the block, or `leave_it` was said.

    Enter it before threads start, and before connections are open that mind a second owner.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _wait_and_execute(reading, execute)
    os.close(reading)
    cleanup = CleanupNotes(writing, pid)
    try:
        yield cleanup
    finally:
        cleanup.close()


def _wait_and_execute(reading: int, execute: Executor) -> t.NoReturn:
    """The life of the other process: it never returns, and has nothing of ours but its end of the pipe."""
    try:
        # Descriptors are closed below; nothing that is collected later may close its old number again.
        gc.freeze()
        gc.disable()
        os.setsid()
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number in _IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        reading = _keep_only(reading)
        lines = _read_all(reading).splitlines()
        if _DONE not in lines:
            execute(lines)
    finally:
        os._exit(0)


def _keep_only(descriptor: int) -> int:
    """Close all but this one, which becomes the first after the standard three; those are /dev/null."""
    kept = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _FIRST + 1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(_FIRST):
        os.dup2(nothing, standard)
    os.dup2(kept, _FIRST)
    os.closerange(_FIRST + 1, os.sysconf("SC_OPEN_MAX"))
    return _FIRST


def _read_all(descriptor: int) -> str:
    content = b""
    while chunk := os.read(descriptor, 4096):
        content += chunk
    return content.decode("utf-8", "replace")
