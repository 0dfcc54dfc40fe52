"""A TCP proxy on loopback that a test puts before a server of the sandbox, to be its bad network.

What goes `up` to the server and `down` to the client passes a hook, chunk by chunk. A hook returns what is passed on,
may raise Cut to end the connection with a reset, or Answer to speak in the server's place. Hooks run on threads, and
may be replaced while the proxy runs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import typing as t

HOST = "127.0.0.1"
_CHUNK = 1 << 16
# How long a thread may take to see that its link has ended.
_GLANCE = 0.02
_RESET = struct.pack("ii", 1, 0)

Hook = t.Callable[[bytes], bytes]


class Cut(Exception):  # noqa: N818 - an order to the proxy, no error
    """The connection ends here."""


class Answer(Exception):  # noqa: N818 - the same
    """What the client gets instead of the server's answer; then the connection ends."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


def passing(chunk: bytes) -> bytes:
    return chunk


class _Link:
    """Two sockets and the two threads between them; the last thread to leave closes both."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.ended = False
        self.answered = False
        self._client, self._server = client, server
        self._threads = 2
        self._lock = threading.Lock()
        for side in (client, server):
            side.settimeout(_GLANCE)

    def receive(self, source: socket.socket) -> bytes:
        """Empty at the end of the stream or of the link."""
        while not self.ended:
            with contextlib.suppress(TimeoutError):
                return source.recv(_CHUNK)
        return b""

    def send(self, target: socket.socket, content: bytes) -> None:
        left = memoryview(content)
        while left and not self.ended:
            with contextlib.suppress(TimeoutError):
                left = left[target.send(left) :]

    def leave(self) -> bool:
        """True for the last thread."""
        with self._lock:
            self._threads -= 1
            if self._threads:
                return False
        if self.ended:
            _reset(self._server)
        if self.ended and not self.answered:
            _reset(self._client)
        self._client.close()
        self._server.close()
        return True


class TcpProxy:
    """`with TcpProxy(host, port) as proxy:`, then connect to HOST and `proxy.port`."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.up: Hook = passing
        self.down: Hook = passing
        self.refusing = False
        """Whether new connections are reset at once."""
        self.connections = 0
        """How many were accepted."""
        self._open: set[_Link] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> TcpProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=5)

    def cut(self) -> None:
        """Reset every connection there is, within moments; new ones are taken."""
        with self._lock:
            present = tuple(self._open)
        for link in present:
            link.ended = True

    def _start(self, work: t.Callable[..., None], *arguments: t.Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self.connections += 1
                if self.refusing:
                    _reset(client)
                    continue
                try:
                    server = socket.create_connection(self._upstream, timeout=10)
                except OSError:
                    _reset(client)
                    continue
                link = _Link(client, server)
                with self._lock:
                    self._open.add(link)
                self._start(self._pump, link, client, server, lambda chunk: self.up(chunk))
                self._start(self._pump, link, server, client, lambda chunk: self.down(chunk))

    def _pump(self, link: _Link, source: socket.socket, target: socket.socket, hook: Hook) -> None:
        try:
            while chunk := link.receive(source):
                link.send(target, hook(chunk))
            if not link.ended:
                target.shutdown(socket.SHUT_WR)
        except Answer as answer:
            with contextlib.suppress(OSError):
                link.send(source, answer.content)
                source.shutdown(socket.SHUT_WR)
            link.answered = True
            link.ended = True
        except (Cut, OSError):
            link.ended = True
        if link.leave():
            with self._lock:
                self._open.discard(link)


def cut_after(size: int, *, times: int = 1) -> Hook:
    """Ends the connection at the first chunk after `size` bytes, on any connection, and so on again, `times` times."""
    lock = threading.Lock()
    passed, left = 0, times

    def hook(chunk: bytes) -> bytes:
        nonlocal passed, left
        with lock:
            passed += len(chunk)
            if left and passed > size:
                passed, left = 0, left - 1
                raise Cut
        return chunk

    return hook


def slow(delay: float) -> Hook:
    """Holds every chunk of up to 64 KiB for `delay` seconds."""

    def hook(chunk: bytes) -> bytes:
        time.sleep(delay)
        return chunk

    return hook


def _reset(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    side.close()
