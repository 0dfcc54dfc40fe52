# SPDX-License-Identifier: GPL-3.0-or-later
"""What callbacks have to say when a run ends without its last event: by a signal, or because its terminal is gone.

SIGINT ends ansible-playbook as an exception, and what is registered with atexit still runs. SIGTERM and SIGHUP
end it at once, so their handlers are chained: first ours, then whatever was there. After SIGKILL no handler
runs.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import threading
import typing as t

Hook = t.Callable[[], None]
PATIENCE = 5.0
"""Seconds that a signal waits for all hooks."""
FREE_WITHIN = 0.5
"""Seconds that a hook waits for a lock, of PATIENCE for all hooks."""
CHAINED = (signal.SIGTERM, signal.SIGHUP)


class _Ending:
    """The hooks of one process. A fork inherits them, but is not the run, and stays silent."""

    current: t.ClassVar[_Ending | None] = None

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.hooks: list[Hook] = []
        atexit.register(self.run)
        for number in CHAINED:
            before = signal.getsignal(number)
            # Under nohup a run outlives its terminal; and what was not set by Python can't be chained to.
            if before not in (signal.SIG_IGN, None):
                with contextlib.suppress(ValueError):  # only the main thread handles signals
                    signal.signal(number, functools.partial(self._signalled, before))

    def _signalled(self, before: t.Any, number: int, frame: t.Any) -> None:
        # The main thread may have been stopped while it held a lock that a hook needs: so the hooks run in another, and
        # one that waits in vain holds the signal up for PATIENCE and no longer.
        if os.getpid() == self.owner:
            hooks = threading.Thread(target=self.run, name="interruption", daemon=True)
            hooks.start()
            hooks.join(PATIENCE)
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def run(self) -> None:
        """Each hook once, the one that was registered last first."""
        while os.getpid() == self.owner and self.hooks:
            hook = self.hooks.pop()
            with contextlib.suppress(Exception):
                hook()


@contextlib.contextmanager
def held_if_free(lock: threading.RLock) -> t.Iterator[None]:
    """Hold `lock`, or soon go on without it: a thread that the signal stopped while it held it changes nothing more."""
    held = lock.acquire(timeout=FREE_WITHIN)
    try:
        yield
    finally:
        if held:
            lock.release()


def when_cut_short(hook: Hook) -> None:
    """Have `hook` called when the process ends, by a signal too. A run that ended well has to say so to its hooks."""
    ending = _Ending.current
    if ending is None or ending.owner != os.getpid():
        ending = _Ending.current = _Ending()
    ending.hooks.append(hook)
