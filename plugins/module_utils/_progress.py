# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress from a task to the callbacks, while the task runs.

Ansible has no public way for that: an action plugin runs in a fork, and callbacks hear of it only at its end.
So callbacks `subscribe`, which opens one Unix socket and names it in the environment that forks inherit, and action
plugins `report`, each time by a connection of its own. A report without a listener is lost, and harms nothing.

Where a listener falls behind, a report that only shows how far something is may be lost: how many were is told with the
next one that arrives. One of NEWS says what happened, so it waits until the listener has handled it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
import typing as t
from dataclasses import asdict, dataclass, field

VARIABLE = "EASYMO_DEPLOY_PROGRESS"
RELAY = "EASYMO_DEPLOY_RELAY"
DRAWN = "EASYMO_DEPLOY_DRAWN"
"""Set while a callback shows reports in its own way, so that they are not printed besides."""
WAVE_ROLLED = "WaveRolled"
"""A wave of services has ended; `data` has its number as `wave`, and its `services` by host."""
NEWS = frozenset({"StatusChanged", "Waiting", "WatchResumed", WAVE_ROLLED})
"""Reports of which each says something that happened."""
LOST = "ProgressLost"
"""The event by which subscribers learn how many reports were lost; `data` has their number as `lost`."""
PATIENCE = 0.1
"""Seconds that a report may wait for a listener that falls behind."""
NEWS_PATIENCE = 5.0
"""Seconds that news may wait for a listener, and once it has a place in the queue, until it was handled."""
QUEUE = 16
"""Reports that wait for a listener at most."""
TEXT_LIMIT = 2_000
LIMIT = 60_000
"""Bytes of a report: less than a socket takes while nobody reads."""
END = b"end"
_lost = 0


@dataclass(frozen=True)
class Progress:
    """`event` is one CamelCase word, `host` the inventory's name, `text` one line for people."""

    event: str
    host: str
    text: str
    data: dict[str, t.Any] = field(default_factory=dict)


Handler = t.Callable[[Progress], None]


def report(event: str, host: str, text: str, data: dict[str, t.Any] | None = None) -> None:
    """Tell the listeners how far `host` is. Never fails, and waits no longer than PATIENCE, or NEWS_PATIENCE."""
    _send_to(VARIABLE, Progress(event, host, text[:TEXT_LIMIT], data or {}))


def relay(event: str, text: str, data: dict[str, t.Any]) -> None:
    """`report` for a module in a process of its own: to the action plugin that started it, if that listens."""
    _send_to(RELAY, Progress(event, "", text[:TEXT_LIMIT], data))


def _send_to(variable: str, progress: Progress) -> None:
    global _lost
    address, is_news = os.environ.get(variable), progress.event in NEWS
    if not address:
        return
    try:
        patience = NEWS_PATIENCE if is_news else PATIENCE
        _deliver(address, encoded(progress, lost=_lost), patience, wait=is_news)
    except (FileNotFoundError, ConnectionRefusedError):
        return
    except OSError:
        _lost += 1
    else:
        _lost = 0


def _deliver(address: str, message: bytes, patience: float, *, wait: bool) -> None:
    """Raises OSError. What has a place in the queue arrives, though nobody may `wait` for that any more."""
    deadline = time.monotonic() + patience
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sender:
        sender.settimeout(patience)
        while True:
            try:
                sender.connect(address)
                break
            except BlockingIOError:  # the queue is full, and the system does not wait for it
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        sender.sendall(message)
        sender.shutdown(socket.SHUT_WR)
        if wait:
            with contextlib.suppress(TimeoutError):
                sender.recv(1)


@contextlib.contextmanager
def relayed(handler: Handler) -> t.Iterator[None]:
    """Have `handler` called for what processes started in the block `relay`; its host is left empty."""
    listener = _Listener(RELAY)
    listener.handlers.append(handler)
    try:
        yield
    finally:
        listener.flush()
        listener.close()


def encoded(progress: Progress, *, lost: int = 0) -> bytes:
    """Data that is too large stays behind. `lost` is how many reports before it were lost."""
    content = asdict(progress) | {"lost": lost}
    message = json.dumps(content, default=str).encode()
    return message if len(message) <= LIMIT else json.dumps(content | {"data": {}}).encode()


def subscribe(handler: Handler) -> t.Callable[[], None]:
    """Have `handler` called for every report, on a thread of its own. Call what is returned to end it.

    All subscribers of a process share one socket. A handler must be quick: put it in a queue.
    """
    with _LOCK:
        if _Listener.current is None:
            _Listener.current = _Listener()
        listener = _Listener.current
        listener.handlers.append(handler)

    def unsubscribe() -> None:
        listener.flush()
        with _LOCK:
            if handler in listener.handlers:
                listener.handlers.remove(handler)
            if not listener.handlers and _Listener.current is listener:
                _Listener.current = None
                listener.close()

    return unsubscribe


_LOCK = threading.Lock()


class _Listener:
    """The socket, its folder that only this user may enter, and the thread that reads."""

    current: t.ClassVar[_Listener | None] = None

    def __init__(self, variable: str = VARIABLE) -> None:
        self._variable = variable
        self.handlers: list[Handler] = []
        self._owner = os.getpid()
        # The system's own folder: the path of a Unix socket may have only 107 bytes.
        self._folder = tempfile.mkdtemp(prefix="deploy-progress-")
        self._address = os.path.join(self._folder, "socket")  # noqa: PTH118 - as the kernel wants it
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self._address)
        self._socket.listen(QUEUE)
        self._thread = threading.Thread(target=self._read, name="progress", daemon=True)
        self._thread.start()
        os.environ[variable] = self._address
        # SIGINT ends a run without its last callback.
        atexit.register(self.close)

    def _read(self) -> None:
        while True:
            connection, _sender = self._socket.accept()
            with connection, contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                connection.settimeout(1)  # of a sender that was stopped before it has sent anything
                message = connection.makefile("rb").read()
                if message == END:
                    return
                content = json.loads(message)
                lost = int(content.pop("lost"))
                progress = Progress(**content)
                if lost:
                    text = f"{lost} lines of progress were lost: this machine is too busy to show them."
                    self._hand_on(Progress(LOST, progress.host, text, {"lost": lost}))
                self._hand_on(progress)

    def _hand_on(self, progress: Progress) -> None:
        for handler in tuple(self.handlers):
            with contextlib.suppress(Exception):
                handler(progress)

    def flush(self, message: bytes = b"") -> None:
        """Return when all that was sent before has been handled. In a fork, which has no such thread, at once."""
        if os.getpid() == self._owner and self._thread.is_alive():
            with contextlib.suppress(OSError):
                _deliver(self._address, message, 1, wait=True)

    def close(self) -> None:
        """In a fork this does nothing."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        os.environ.pop(self._variable, None)
        self.flush(END)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)
