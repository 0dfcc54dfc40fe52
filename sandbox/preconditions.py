# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks before `up` starts a sandbox, or uses one that runs already."""

from __future__ import annotations

import typing as t

from sandbox.errors import SandboxError
from sandbox.record import SUPERVISOR, Phase, Record, records
from sandbox.runner import FOR_WANT
from sandbox.world import port_is_free

if t.TYPE_CHECKING:
    from sandbox.lifecycle import Options
    from sandbox.world import World


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
    for option, wanted in options.asked.items():
        if (has := world.option(option)) != wanted:
            flag = f"--{option.replace('_', '-')}"
            raise SandboxError(
                f"The sandbox in {world.directory} is up, with {flag} {has} and not {wanted}: {again}."
            )


def failed_by_dependency(record: Record) -> bool:
    """Whether it died because another component did, which is then the one to repair."""
    return record.why.startswith(FOR_WANT)
