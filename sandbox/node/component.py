# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes as a component of the sandbox: the kubelets, their pods' addresses, and the platform that runs on them."""

from __future__ import annotations

import secrets
import typing as t

from sandbox.component import Component, responds
from sandbox.node.behaviour import COMPONENT as NAME
from sandbox.node.behaviour import FAULTS
from sandbox.world import port_is_free

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

SECOND_OCTETS = range(16, 251)


def pick_octet(is_free: t.Callable[[str], bool]) -> int:
    candidates = list(SECOND_OCTETS)
    secrets.SystemRandom().shuffle(candidates)
    for octet in candidates:
        if is_free(f"127.{octet}.0.1"):
            return octet
    raise OSError("No loopback network 127.16-250.0.0/16 is free for the pods.")


def _is_free(address: str) -> bool:
    return port_is_free(8080, address)


class Subnet:
    def __init__(self, octet: int, is_free: t.Callable[[str], bool] = _is_free) -> None:
        self._octet = octet
        self._is_free = is_free
        self._taken: set[str] = set()
        self._next = 2

    @property
    def cidr(self) -> str:
        return f"127.{self._octet}.0.0/16"

    def claim(self, wanted: str = "") -> str:
        """`wanted` when it is ours and free, otherwise the next free one."""
        mine = wanted.startswith(f"127.{self._octet}.") and wanted not in self._taken
        if mine and self._is_free(wanted):
            self._taken.add(wanted)
            return wanted
        for _ in range(65000):
            address = f"127.{self._octet}.{self._next // 250}.{self._next % 250 + 1}"
            self._next = self._next + 1 if self._next < 62000 else 2
            if address not in self._taken and self._is_free(address):
                self._taken.add(address)
                return address
        raise OSError(f"No address of {self.cidr} is free for another pod.")

    def release(self, address: str) -> None:
        self._taken.discard(address)


class NodeComponent(Component):
    name = NAME
    program = "sandbox.node.kubelet"
    needs = ("kubernetes",)
    settles_after = ("postgres", "valkey", "kafka", "sinks")
    # The worker in the cluster is healthy only when Supabase is.
    settles_with = ("supabase",)
    ports = (NAME,)
    faults: t.Mapping[str, str] = FAULTS

    def ready(self, world: World) -> bool:
        return responds(f"{world.url(NAME)}/healthz")

    def settle(self, world: World) -> None:
        """Create the platform as it is before the release, and wait until all of it is available."""
        # The supervisor imports this module; an HTTP client is needed only here.
        from sandbox.node.settle import settle  # noqa: PLC0415

        settle(world)

    def facts(self, world: World) -> Facts:
        return {
            "url": world.url(NAME),
            "registry_url": world.url(NAME),
            "nodes": list(nodes_of(world)),
            "pod_subnet": f"127.{octet(world)}.0.0/16",
        }


def nodes_of(world: World) -> tuple[str, ...]:
    """`sandbox-node`, `sandbox-node-2`, `sandbox-node-3`… of this run."""
    others = range(2, world.option("nodes") + 1)
    return ("sandbox-node", *(f"sandbox-node-{number}" for number in others))


def octet(world: World) -> int:
    return int(world.secret("pod-subnet", lambda: str(pick_octet(_is_free))))


def new_octet(world: World) -> int:
    """Another one, for a run that began at the same moment has the first."""
    picked = pick_octet(_is_free)
    with world.changing() as state:
        state["secrets"]["pod-subnet"] = str(picked)
    return picked


COMPONENT = NodeComponent()
