# SPDX-License-Identifier: GPL-3.0-or-later
"""`up` and `down`: one at a time on a state folder. Each is complete, or the error says what is left."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.components import COMPONENTS, select_components
from sandbox.errors import SandboxError, sentence
from sandbox.processes import (
    CHECKOUT,
    RUN_VARIABLE,
    SUPERVISOR,
    Phase,
    ProcessId,
    Record,
    kill_orphans,
    records,
    setpriv,
    stored_records,
)
from sandbox.supervisor import FOR_WANT
from sandbox.world import DEFAULTS, StateError, World, port_is_free


def require_named_ports(ports: t.Mapping[str, int], names: t.Collection[str]) -> None:
    for name, port in ports.items():
        if name not in names:
            raise SandboxError(
                f"No component listens on a port named {name!r}: "
                f"choose from {', '.join(sorted(names))}."
            )
        if others := [other for other, same in ports.items() if same == port and other != name]:
            raise SandboxError(
                f"Port {port} is asked for by both {name!r} and {others[0]!r}: choose two."
            )


def require_free_ports(ports: t.Mapping[str, int]) -> None:
    for name, port in ports.items():
        if not port_is_free(port):
            raise SandboxError(
                f"Port {port}, asked for by --port {name}={port}, cannot be had: stop what listens "
                "there ('ss -ltnp' names it) or choose another."
            )


def require_whole(world: World, names: t.Collection[str]) -> None:
    """What is there must be a whole sandbox with at least `names` in it."""
    known = records(world)
    supervisor = known.pop(SUPERVISOR, None)
    again = "run 'python -m sandbox down', then 'up'"
    if supervisor is None or supervisor.phase is Phase.DEAD:
        raise SandboxError(f"The sandbox in {world.directory} has lost its supervisor: {again}.")
    for record in sorted(known.values(), key=failed_by_dependency):
        if record.phase is Phase.DEAD:
            raise SandboxError(
                f"The sandbox in {world.directory} is damaged: {record.name} is dead "
                f"({record.why.rstrip('.')}): {again}."
            )
    if missing := sorted(set(names) - set(known)):
        raise SandboxError(
            f"The sandbox in {world.directory} is up without {', '.join(missing)}: {again}."
        )


def require_same(world: World, options: Options) -> None:
    """What is asked for must be what the sandbox that is up was started with."""
    state, again = world.state(), "run 'python -m sandbox down', then 'up'"
    for name, port in options.ports.items():
        if (has := state.get("ports", {}).get(name)) != port:
            raise SandboxError(
                f"The sandbox in {world.directory} is up, with {name} on port {has} and not {port}: "
                f"{again}."
            )
    for option, wanted in options.numbers.items():
        if (has := world.option(option)) != wanted:
            flag = f"--{option.replace('_', '-')}"
            raise SandboxError(
                f"The sandbox in {world.directory} is up, with {flag} {has} and not {wanted}: {again}."
            )


def failed_by_dependency(record: Record) -> bool:
    """Whether it died because another component did, which is then the one to repair."""
    return record.why.startswith(FOR_WANT)


UP_WITHIN = 240.0
SUPERVISOR_ENDS_WITHIN = 30.0
LOCK_WITHIN = UP_WITHIN + SUPERVISOR_ENDS_WITHIN
POLL = 0.04

Say = t.Callable[[str], None]


@dataclass(frozen=True)
class Options:
    ports: t.Mapping[str, int] = field(default_factory=dict)
    numbers: t.Mapping[str, int] = field(default_factory=dict)
    """The numbers of DEFAULTS that were asked for; others are as in a sandbox that is up, else the default."""
    only: tuple[str, ...] = ()


def up(world: World, options: Options, report: Say) -> None:
    components = select_components(COMPONENTS, options.only)
    names = {component.name for component in components}
    setpriv()
    require_named_ports(
        options.ports, [port for component in components for port in component.ports]
    )
    with _exclusive(world, report):
        if world.run.exists():
            require_whole(world, names)
            require_same(world, options)
            report(f"The sandbox in {world.directory} is already up.")
            return
        require_free_ports(options.ports)
        began = time.monotonic()
        try:
            supervisor = _start_supervisor(world, options)
            _await_ready(world, names, supervisor, report)
        except KeyboardInterrupt:
            _take_down(world)
            raise SandboxError("Interrupted: the half-started sandbox was taken down.") from None
        took = time.monotonic() - began
        report(f'The sandbox is up in {took:.1f} s; for a shell: eval "$(python -m sandbox env)"')


def down(world: World, report: Say) -> None:
    if not world.run.exists():
        report(f"No sandbox is up in {world.directory}.")
        return
    with _exclusive(world, report):
        began = time.monotonic()
        left = _take_down(world)
        more = f", {left} left-over processes killed" if left else ""
        report(f"The sandbox is down in {time.monotonic() - began:.1f} s{more}.")


@contextmanager
def _exclusive(world: World, report: Say) -> t.Iterator[None]:
    try:
        world.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as exc:
        raise SandboxError(
            f"The folder {world.directory} cannot be made ({exc.strerror}): "
            "choose another with --state."
        ) from exc
    with (world.directory / "lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_WITHIN
        reported = False
        while not _locked(lock.fileno()):
            if not reported:
                report(f"Another 'up' or 'down' is at work in {world.directory}: waiting for it.")
                reported = True
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"Another 'up' or 'down' still holds {lock.name} after {LOCK_WITHIN:.0f} s: "
                    "end it (fuser names it), then try again."
                )
            time.sleep(POLL)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_supervisor(world: World, options: Options) -> subprocess.Popen[bytes]:
    with world.changing() as state:
        state["wanted_ports"] = dict(options.ports)
        state["options"] = {**DEFAULTS, **options.numbers}
    with (world.folder(SUPERVISOR) / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sandbox.supervisor", str(world.directory), *options.only],
            cwd=CHECKOUT,
            env={**os.environ, RUN_VARIABLE: str(world.run)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await_ready(
    world: World, names: t.Collection[str], supervisor: subprocess.Popen[bytes], report: Say
) -> None:
    deadline = time.monotonic() + UP_WITHIN
    reported: set[str] = set()
    while reported != set(names):
        # Not whether it lives now: the supervisor is about to note that, and why.
        known = stored_records(world)
        _require_alive(world, known.values())
        for record in known.values():
            if record.name in names and record.name not in reported and not record.phase.under_way:
                reported.add(record.name)
                report(f"  {record.name:<12} {record.seconds:5.1f} s")
        if supervisor.poll() is not None:
            raise SandboxError(
                "The sandbox's supervisor ended while starting: see 'python -m sandbox logs "
                "supervisor', then run 'down'."
            )
        if time.monotonic() > deadline:
            raise SandboxError(_timeout_message(known, set(names) - reported))
        time.sleep(POLL)


def _timeout_message(known: t.Mapping[str, Record], late: set[str]) -> str:
    waiting = (f"{name} ({known[name].phase.value if name in known else '-'})" for name in late)
    return (
        f"The sandbox was not up within {UP_WITHIN:.0f} s, for want of {', '.join(sorted(waiting))}: "
        "see 'python -m sandbox logs', then run 'down'."
    )


def _require_alive(world: World, known: t.Collection[Record]) -> None:
    dead = [record for record in known if record.phase is Phase.DEAD]
    for record in sorted(dead, key=failed_by_dependency):
        logged = (world.run / record.name / "log.txt").exists()
        log = record.name if logged else SUPERVISOR
        raise SandboxError(
            f"The sandbox is half started, for {record.name} is dead: {record.why.rstrip('.')}. "
            f"See 'python -m sandbox logs {log}', then run 'down'."
        )


def _take_down(world: World) -> int:
    """Stop the supervisor, kill what is left, remove the run folder; how many were left over."""
    try:
        state, known = world.state(), records(world)
    except StateError:
        state, known = {}, {}
    supervisor = known.get(SUPERVISOR)
    if supervisor and supervisor.process:
        _end(supervisor.process)
    left = kill_orphans(world.run, [record.process for record in known.values() if record.process])
    for paths in state.get("leaves", {}).values():
        for path in paths:
            Path(path).unlink(missing_ok=True)
    try:
        shutil.rmtree(world.run)
    except OSError as exc:
        raise SandboxError(
            f"The processes are gone, but the folder {world.run} is not: {sentence(exc)}"
        ) from exc
    return left


def _end(supervisor: ProcessId) -> None:
    """Ask it to take everything down and wait; what it leaves is killed."""
    try:
        os.kill(supervisor.pid, signal.SIGTERM)
        os.kill(supervisor.pid, signal.SIGCONT)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + SUPERVISOR_ENDS_WITHIN
    while supervisor.alive() and time.monotonic() < deadline:
        time.sleep(POLL)
