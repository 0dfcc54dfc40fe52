# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a container: a real child process, spoken with over Kubernetes' channel protocol.

Every WebSocket message begins with its channel: 0 stdin, 1 stdout, 2 stderr, 3 the final Status; in v5 the
byte 255 followed by a channel says that the channel is closed. There are no terminals.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import aiohttp

if t.TYPE_CHECKING:
    from aiohttp import web

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHUNK = 32 * 1024
NO_TERMINAL = "a container of the sandbox has no terminal: leave out --tty"

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Command:
    argv: tuple[str, ...]
    env: t.Mapping[str, str]
    stdin: bool = False
    tty: bool = False
    stand_in: int | None = None
    """What it ends with where the container's image has its program and we have not."""


def exit_status(argv: t.Sequence[str], code: int) -> Object:
    """The v1 Status that carries the exit code, as a container runtime's streaming server words it."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    shown = f"error executing command [{' '.join(argv)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {shown}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def start_failure(program: str, why: str) -> Object:
    message = (
        "Internal error occurred: error executing command in container: failed to exec in container: "
        f'exec: "{program}": {why}'
    )
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


def exit_code(returncode: int) -> int:
    """A shell's exit code: 128 and the signal for a process that was killed."""
    return 128 - returncode if returncode < 0 else returncode


class Runner:
    """Runs commands, each in a scratch folder of its own under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def run(self, command: Command, socket: web.WebSocketResponse) -> None:
        """Until the command ends; the command ends when the other side leaves."""
        env = {"PATH": DEFAULT_PATH, **command.env}
        if command.tty:
            await _finish(socket, start_failure(command.argv[0], NO_TERMINAL))
            return
        program = shutil.which(command.argv[0], path=env["PATH"]) if command.argv else None
        if command.stand_in is not None:
            await _finish(socket, exit_status(command.argv, command.stand_in))
            return
        if program is None:
            name = command.argv[0] if command.argv else ""
            await _finish(socket, start_failure(name, "executable file not found in $PATH"))
            return
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            try:
                code = await _run_pipes(command, env, scratch, socket)
            except OSError as exc:
                await _finish(socket, start_failure(command.argv[0], str(exc.strerror).lower()))
                return
        await _finish(socket, exit_status(command.argv, code))


async def _finish(socket: web.WebSocketResponse, status: Object) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError):
        await socket.send_bytes(bytes([STATUS]) + json.dumps(status).encode())
    await socket.close()


async def _run_pipes(
    command: Command, env: t.Mapping[str, str], scratch: str, socket: web.WebSocketResponse
) -> int:
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        env=env,
        cwd=scratch,
        stdin=asyncio.subprocess.PIPE if command.stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )

    async def feed(content: bytes | None) -> None:
        stdin = process.stdin
        if stdin is None or stdin.is_closing():
            return
        if content is None:
            stdin.close()
            return
        stdin.write(content)
        with contextlib.suppress(ConnectionError):
            await stdin.drain()

    receiver = asyncio.create_task(_receive(socket, process, feed))
    try:
        await asyncio.gather(
            _pump(process.stdout, STDOUT, socket), _pump(process.stderr, STDERR, socket)
        )
        return exit_code(await process.wait())
    finally:
        receiver.cancel()
        _kill_group(process)


async def _pump(
    stream: asyncio.StreamReader | None, channel: int, socket: web.WebSocketResponse
) -> None:
    while stream is not None and (content := await stream.read(CHUNK)):
        with contextlib.suppress(ConnectionError):
            await socket.send_bytes(bytes([channel]) + content)


async def _receive(
    socket: web.WebSocketResponse,
    process: asyncio.subprocess.Process,
    feed: t.Callable[[bytes | None], t.Awaitable[None]],
) -> None:
    """What the other side sends. When it leaves, so does the command."""
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, content = message.data[0], message.data[1:]
        if channel == STDIN and content:
            await feed(content)
        elif channel == CLOSE and content[:1] == bytes([STDIN]):
            await feed(None)
    _kill_group(process)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
