# SPDX-License-Identifier: GPL-3.0-or-later
"""What a component is given: its folder, ports, certificates, secrets and what other components published.

The state folder holds two things::

    cache/             kept between runs: unpacked binaries, seeded database folders
    run/               one running sandbox; wiped by `down`
      state.json       mode 0600, what this module reads and writes
      faults.json      the faults that are set now (sandbox/faults.py)
      tls/             a certificate authority of this run and what it signed
      <component>/     data and log.txt of one component
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

Facts = dict[str, t.Any]


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path
    ca: Path


class StateError(Exception):
    """One sentence for the operator: what is wrong with the state folder and what to do."""


class World:
    """The running sandbox as seen by its components, the supervisor and the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.cache = self.directory / "cache"
        self.run = self.directory / "run"
        self.state_file = self.run / "state.json"
        self.faults_file = self.run / "faults.json"

    def state(self) -> Facts:
        """The whole state, `{}` when no sandbox has been started."""
        try:
            return t.cast("Facts", json.loads(self.state_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except ValueError as exc:
            raise StateError(
                f"The sandbox state {self.state_file} is not JSON ({exc}): run 'make sandbox-down'."
            ) from exc

    @contextmanager
    def changing(self) -> t.Iterator[Facts]:
        """Change the state: read, yield, write whole, one process at a time."""
        self.run.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.run / "state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.state()
            yield state
            partial = self.run / "state.json.partial"
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                json.dump(state, handle, indent=1, sort_keys=True)
            partial.replace(self.state_file)

    def facts(self, component: str) -> Facts:
        """What a ready component published; naming one that is not ready is an error."""
        try:
            return t.cast("Facts", self.state()["components"][component])
        except KeyError as exc:
            raise StateError(
                f"The sandbox component {component!r} is not up: run 'make sandbox-up'."
            ) from exc

    def publish(self, component: str, facts: Facts) -> None:
        with self.changing() as state:
            state.setdefault("components", {})[component] = facts

    def folder(self, component: str) -> Path:
        folder = self.run / component
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def port(self, name: str) -> int:
        """A TCP port on 127.0.0.1 for `name`, chosen free the first time and the same ever after."""
        with self.changing() as state:
            ports = state.setdefault("ports", {})
            if name not in ports:
                ports[name] = free_port(taken=set(ports.values()))
            return t.cast("int", ports[name])

    def secret(self, name: str, make: t.Callable[[], str] = lambda: secrets.token_hex(20)) -> str:
        """A secret of this run for `name`, made the first time and the same ever after."""
        with self.changing() as state:
            return t.cast("str", state.setdefault("secrets", {}).setdefault(name, make()))

    def certificate(self, name: str) -> Certificate:
        """A server certificate for 127.0.0.1 and localhost, signed by the sandbox's own authority."""
        tls = self.run / "tls"
        made = Certificate(cert=tls / f"{name}.crt", key=tls / f"{name}.key", ca=tls / "ca.crt")
        if made.cert.exists():
            return made
        with self.changing():
            tls.mkdir(mode=0o755, exist_ok=True)
            authority_file = tls / "ca.key"
            if authority_file.exists():
                authority = trustme.CA.from_pem(made.ca.read_bytes(), authority_file.read_bytes())
            else:
                authority = trustme.CA(organization_name="EasyMO sandbox")
                authority.cert_pem.write_to_path(str(made.ca))
                write_private(authority_file, authority.private_key_pem.bytes())
            issued = authority.issue_cert("127.0.0.1", "localhost", "::1")
            write_private(made.key, issued.private_key_pem.bytes())
            issued.cert_chain_pems[0].write_to_path(str(made.cert))
        return made


def free_port(taken: t.Collection[int] = ()) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = t.cast("int", probe.getsockname()[1])
        if port not in taken:
            return port


def write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
