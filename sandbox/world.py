# SPDX-License-Identifier: GPL-3.0-or-later
"""What a component is given: its folder, ports, certificates, secrets and what other components published.

The state folder holds two things::

    cache/             kept between runs: unpacked binaries, seeded database folders (sandbox/cache.py)
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
import random
import secrets
import socket
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

if t.TYPE_CHECKING:
    import trustme

Facts = dict[str, t.Any]

# Below the range from which the kernel takes ports for connections.
PORTS = range(20000, 32000)
BLOCKS = range(PORTS.start, PORTS.stop, 100)

CACHE_VARIABLE = "EASYMO_SANDBOX_CACHE"
"""Names a cache folder that several sandboxes share, in place of each one's own."""

DEFAULTS: t.Mapping[str, int] = {
    "seed_mb": 50,
    "nodes": 1,
    "pods_per_node": 250,
    "replicas": 3,
    "kubelet_sync": 60,
}
"""The options of `up`. A kubelet takes 110 pods by default; ours may be the only one, so it takes more."""


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path
    ca: Path


class StateError(SandboxError):
    """What is wrong with the state folder and what to do."""


class World:
    """The running sandbox as seen by its components, the supervisor and the command line."""

    def __init__(self, directory: Path) -> None:
        # Resolved, because left-over processes are recognised by this path as /proc shows it.
        self.directory = directory.resolve()
        self.cache = Path(os.environ.get(CACHE_VARIABLE) or self.directory / "cache").resolve()
        self.run = self.directory / "run"
        self.state_file = self.run / "state.json"
        self.faults_file = self.run / "faults.json"

    def state(self) -> Facts:
        """The whole state, `{}` when no sandbox has been started."""
        try:
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            state = None
        if not isinstance(state, dict):
            raise StateError(
                f"The sandbox state {self.state_file} is no JSON object: run 'python -m sandbox down'."
            )
        return state

    def option(self, name: str) -> int:
        return t.cast("int", self.state().get("options", {}).get(name, DEFAULTS[name]))

    @contextmanager
    def locked(self) -> t.Iterator[None]:
        """One process and thread at a time; not to be nested."""
        self.run.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.run / "state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def changing(self) -> t.Iterator[Facts]:
        """Change the state: read, yield, write whole, one process at a time."""
        with self.locked():
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
                f"The sandbox component {component!r} is not up: run 'python -m sandbox up'."
            ) from exc

    def publish(self, component: str, facts: Facts) -> None:
        with self.changing() as state:
            state.setdefault("components", {})[component] = facts

    def folder(self, component: str) -> Path:
        folder = self.run / component
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def port(self, name: str, usable: t.Callable[[int], bool] = bool) -> int:
        """A TCP port on 127.0.0.1 for `name`, chosen free and usable the first time and the same ever after.

        What `up --port` asked for waits in `wanted_ports` until the component asks.
        """
        with self.changing() as state:
            ports = state.setdefault("ports", {})
            wanted = state.setdefault("wanted_ports", {})
            if name not in ports:
                taken = {*ports.values(), *wanted.values()}
                block = state.get("port_block")
                ports[name] = wanted.pop(name, None) or free_port(taken, block, usable)
            return t.cast("int", ports[name])

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.port(port)}"

    def secret(self, name: str, make: t.Callable[[], str] = lambda: secrets.token_hex(20)) -> str:
        """A secret of this run for `name`, made the first time and the same ever after."""
        known: Facts = self.state().get("secrets", {})
        if name not in known:
            made = make()  # Outside the lock, which `make` may want too.
            with self.changing() as state:
                known = state.setdefault("secrets", {})
                known.setdefault(name, made)
        return t.cast("str", known[name])

    def certificate(self, name: str) -> Certificate:
        """A server certificate for 127.0.0.1 and localhost, signed by the sandbox's own authority."""
        tls = self.run / "tls"
        made = Certificate(cert=tls / f"{name}.crt", key=tls / f"{name}.key", ca=tls / "ca.crt")
        if made.cert.exists():
            return made
        with self.locked():
            if not made.cert.exists():
                _issue(made)
        return made


def _issue(certificate: Certificate) -> None:
    """Write a server certificate for the loopback names, and the authority if there is none yet."""
    folder = certificate.ca.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    issued = _authority(certificate.ca, folder / "ca.key").issue_cert(
        "127.0.0.1", "localhost", "::1"
    )
    write_private(certificate.key, issued.private_key_pem.bytes())
    issued.cert_chain_pems[0].write_to_path(str(certificate.cert))


def _authority(cert: Path, key: Path) -> trustme.CA:
    # Its import takes a tenth of a second, which only the first start needs.
    import trustme  # noqa: PLC0415

    if key.exists():
        return trustme.CA.from_pem(cert.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="EasyMO sandbox")
    authority.cert_pem.write_to_path(str(cert))
    write_private(key, authority.private_key_pem.bytes())
    return authority


def free_port(
    taken: t.Collection[int] = (),
    block: int | None = None,
    usable: t.Callable[[int], bool] = bool,
) -> int:
    """A usable port nobody listens on, out of `block` when this sandbox has claimed one, else one of this process."""
    with _LOCK_OF_PORTS:
        own = range(block + 1, block + BLOCKS.step) if block else _PORTS_OF_THIS_PROCESS
        for port in own:
            if port not in taken and usable(port) and port_is_free(port):
                return port
    raise StateError(f"No port from {block} on is free: run 'python -m sandbox down', then 'up'.")


def claim_block() -> tuple[int, socket.socket]:
    """A hundred ports that no other sandbox takes while the socket is open.

    Asking which ports are free is not enough: sandboxes that start at once would choose the same.
    """
    for block in random.sample(BLOCKS, len(BLOCKS)):
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", block))
        except OSError:
            guard.close()
        else:
            return block, guard
    raise StateError(f"Every port of {BLOCKS} is in use: stop what listens there.")


def _ports_of_this_process() -> t.Iterator[int]:
    """No other sandbox takes one while this process lives, and none comes twice."""
    guards = []
    while True:
        block, guard = claim_block()
        guards.append(guard)
        yield from range(block + 1, block + BLOCKS.step)


_PORTS_OF_THIS_PROCESS, _LOCK_OF_PORTS = _ports_of_this_process(), threading.Lock()


def port_is_free(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        # As servers do: connections that linger after a crash keep nobody from listening again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
