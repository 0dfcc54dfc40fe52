# SPDX-License-Identifier: GPL-3.0-or-later
"""`kubectl port-forward`: connections to a pod's ports as streams of SPDY/3.1, which come in WebSocket messages.

The frames are those of https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/, the tunnel that of
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets.
A connection has two streams, `data` and `error`, with one `requestID`. Neither side of kubectl's has a window.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import typing as t
import zlib

from aiohttp import WSMsgType, web

from sandbox.ports import listening

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
CONTROL = 0x8003_0000
"""The bit of control frames, and the version."""
CHUNK = 32 * 1024
WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow"
    " authorization cache-control connection content-base content-encoding content-language content-length"
    " content-location content-md5 content-range content-type date etag expect expires from host if-match"
    " if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma"
    " proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade"
    " user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie"
    " keep-alive origin"
)
TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative"
    " Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500"
    " Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec"
    " 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)
_WORDS = (word.replace("_", " ").encode() for word in WORDS.split())
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word for word in _WORDS) + TAIL.encode()


class Tunnel:
    """One session, until its client leaves. `address` is the pod's."""

    def __init__(self, socket: web.WebSocketResponse, address: str) -> None:
        self._socket = socket
        self._address = address
        self._headers = zlib.decompressobj(zdict=DICTIONARY)
        self._answers = zlib.compressobj(zdict=DICTIONARY)
        self._errors: dict[str, int] = {}
        self._sent: dict[int, asyncio.Queue[bytes]] = {}
        self._connections: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        received = b""
        try:
            async for message in self._socket:
                if message.type is WSMsgType.BINARY:
                    received = await self._take(received + message.data)
        finally:
            for connection in self._connections.values():
                connection.cancel()
            await asyncio.gather(*self._connections.values(), return_exceptions=True)

    async def _take(self, received: bytes) -> bytes:
        """Deals with the frames that are whole; the rest."""
        while len(received) >= 8:
            first, second = struct.unpack(">II", received[:8])
            flags, length = second >> 24, second & 0xFF_FFFF
            if len(received) < 8 + length:
                break
            body, received = received[8 : 8 + length], received[8 + length :]
            if first & 0x8000_0000:
                await self._control(first & 0xFFFF, body)
            elif first in self._sent:
                # An empty piece is the end.
                for piece in ([body] if body else []) + ([b""] if flags & FIN else []):
                    self._sent[first].put_nowait(piece)
        return received

    async def _control(self, kind: int, body: bytes) -> None:
        if kind == SYN_STREAM:
            (number,) = struct.unpack(">I", body[:4])
            # The block of no headers.
            block = self._answers.compress(bytes(4)) + self._answers.flush(zlib.Z_SYNC_FLUSH)
            await self._send(CONTROL | SYN_REPLY, struct.pack(">I", number) + block)
            self._open(number, headers_of(self._headers.decompress(body[10:])))
        elif kind == PING:
            await self._send(CONTROL | PING, body)
        elif kind == RST_STREAM:
            (number,) = struct.unpack(">I", body[:4])
            if number in self._connections:
                self._connections.pop(number).cancel()
        elif kind == GOAWAY:
            await self._socket.close()

    def _open(self, number: int, headers: t.Mapping[str, str]) -> None:
        request = headers["requestid"]
        if headers["streamtype"] == "error":
            self._errors[request] = number
            return
        self._sent[number] = asyncio.Queue()
        connection = self._connect(number, int(headers["port"]), self._errors.pop(request))
        self._connections[number] = asyncio.create_task(connection)

    async def _connect(self, number: int, port: int, error: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(self._address, listening(port))
        except OSError as exc:
            words = f"error forwarding port {port} to pod: {exc.strerror or exc}"
            await self._send(error, words.encode(), FIN)
            await self._send(number, b"", FIN)
            return
        try:
            giving = asyncio.create_task(self._give(number, writer))
            while piece := await reader.read(CHUNK):
                await self._send(number, piece)
            giving.cancel()
        except ConnectionError:
            pass
        finally:
            writer.close()
        await self._send(error, b"", FIN)
        await self._send(number, b"", FIN)

    async def _give(self, number: int, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await self._sent[number].get():
                writer.write(piece)
                await writer.drain()
            writer.write_eof()

    async def _send(self, first: int, body: bytes, flags: int = 0) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.send_bytes(struct.pack(">II", first, flags << 24 | len(body)) + body)


def headers_of(block: bytes) -> dict[str, str]:
    """A block that was decompressed: the count, then names and values, each after its length."""
    (count,), at, texts = struct.unpack(">I", block[:4]), 4, []
    for _ in range(2 * count):
        (length,) = struct.unpack(">I", block[at : at + 4])
        texts.append(block[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return dict(zip(texts[::2], texts[1::2], strict=True))


async def forward(request: web.Request, address: str) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0)
    await socket.prepare(request)
    await Tunnel(socket, address).run()
    return socket
