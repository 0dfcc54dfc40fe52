# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress from a task to the callbacks, while the task runs.

Ansible has no public way for that: an action plugin runs in a fork, and callbacks hear of it only at its end.
So callbacks `subscribe`, which opens one Unix datagram socket and names it in the environment that forks
inherit, and action plugins `report`. A report without a listener is lost, and harms nothing.

Where a listener falls behind, a report that only shows how far something is may be lost: how many were is told with the
next one that arrives. One of NEWS says what happened, so it is sent again until the listener has acknowledged it.
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
import uuid
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
"""Seconds in which news must have been acknowledged; then it counts as lost."""
TEXT_LIMIT = 2_000
DATAGRAM_LIMIT = 60_000
FLUSH, END, ACKNOWLEDGED = b"flush", b"end", b"ok"
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
    address = os.environ.get(VARIABLE)
    if not address:
        return
    _send_to(address, Progress(event, host, text[:TEXT_LIMIT], data or {}))


def _send_to(address: str, progress: Progress) -> None:
    global _lost
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(PATIENCE)
            if progress.event in NEWS:
                _send_news(sender, address, progress)
            else:
                # Of one that is not connected, poll(2) says that it can send when the listener's queue is full.
                sender.connect(address)
                sender.send(encoded(progress, lost=_lost))
    except (FileNotFoundError, ConnectionRefusedError):
        return
    except OSError:
        _lost += 1
    else:
        _lost = 0


def _send_news(sender: socket.socket, address: str, progress: Progress) -> None:
    """Until the listener has acknowledged it, at an address beside its own; raises TimeoutError when it does not."""
    identity = uuid.uuid4().hex
    own = f"{address}.{identity[:8]}"
    deadline = time.monotonic() + NEWS_PATIENCE
    sender.bind(own)
    try:
        sender.connect(address)
        while True:
            try:
                sender.send(encoded(progress, lost=_lost, identity=identity))
                sender.recv(len(ACKNOWLEDGED))
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
            else:
                return
    finally:
        with contextlib.suppress(OSError):
            os.unlink(own)  # noqa: PTH108 - as the kernel wants it


def relay(event: str, text: str, data: dict[str, t.Any]) -> None:
    """`report` for a module in a process of its own: to the action plugin that started it, if that listens."""
    address = os.environ.get(RELAY)
    if address:
        _send_to(address, Progress(event, "", text[:TEXT_LIMIT], data))


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


def encoded(progress: Progress, *, lost: int = 0, identity: str = "") -> bytes:
    """One datagram; data that is too large for one stays behind.

    `lost` is how many reports before it were lost; one with an `identity` is acknowledged, and may come twice.
    """
    content = asdict(progress) | {"lost": lost, "identity": identity}
    message = json.dumps(content, default=str).encode()
    if len(message) > DATAGRAM_LIMIT:
        message = json.dumps(content | {"data": {}}).encode()
    return message


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
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self._flushed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="progress", daemon=True)
        self._thread.start()
        os.environ[variable] = self._address
        # SIGINT ends a run without its last callback.
        atexit.register(self.close)

    def _read(self) -> None:
        acknowledged: set[str] = set()
        while True:
            message, sender = self._socket.recvfrom(DATAGRAM_LIMIT)
            if message == END:
                return
            if message == FLUSH:
                self._flushed.set()
                continue
            try:
                content = json.loads(message)
                lost, identity = int(content.pop("lost")), str(content.pop("identity"))
                progress = Progress(**content)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            if identity:
                # Who did not wait for it needs no answer.
                with contextlib.suppress(OSError):
                    self._socket.sendto(ACKNOWLEDGED, socket.MSG_DONTWAIT, sender)
                if identity in acknowledged:
                    continue
                acknowledged.add(identity)
            if lost:
                text = f"{lost} lines of progress were lost: this machine is too busy to show them."
                self._hand_on(Progress(LOST, progress.host, text, {"lost": lost}))
            self._hand_on(progress)

    def _hand_on(self, progress: Progress) -> None:
        for handler in tuple(self.handlers):
            with contextlib.suppress(Exception):
                handler(progress)

    def flush(self) -> None:
        """Return when all that was sent before has been handled."""
        if os.getpid() == self._owner and self._thread.is_alive():
            self._flushed.clear()
            if self._send(FLUSH):
                self._flushed.wait(timeout=1)

    def close(self) -> None:
        """In a fork, which has no such thread, this does nothing."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        os.environ.pop(self._variable, None)
        if self._send(END):
            self._thread.join(timeout=1)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, message: bytes) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.settimeout(1)
            sender.sendto(message, self._address)
            return True
        return False
