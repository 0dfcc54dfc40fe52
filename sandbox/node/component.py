# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes as a component of the sandbox: the kubelets, and the platform that runs on them."""

from __future__ import annotations

import typing as t

from sandbox.component import Component, Process, python, responds
from sandbox.node.behaviour import COMPONENT as NAME
from sandbox.node.behaviour import FAULTS
from sandbox.node.subnet import can_bind, pick_octet

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World


class NodeComponent(Component):
    name = NAME
    needs = ("kubernetes",)
    settles_after = ("postgres", "valkey", "kafka", "sinks")
    # The worker in the cluster is healthy only when Supabase is.
    settles_with = ("supabase",)
    ports = (NAME,)
    faults: t.Mapping[str, str] = FAULTS

    def prepare(self, world: World) -> None:
        world.port(NAME)
        world.folder(NAME)
        octet(world)

    def process(self, world: World) -> Process:
        return Process(python("sandbox.node", world))

    def ready(self, world: World) -> bool:
        return responds(f"http://127.0.0.1:{world.port(NAME)}/healthz")

    def settle(self, world: World) -> None:
        """Create the platform as it is before the release, and wait until all of it is available."""
        # The supervisor imports this module; an HTTP client is needed only here.
        from sandbox.node.settle import settle  # noqa: PLC0415

        settle(world)

    def facts(self, world: World) -> Facts:
        return {
            "url": f"http://127.0.0.1:{world.port(NAME)}",
            "registry_url": f"http://127.0.0.1:{world.port(NAME)}",
            "nodes": list(nodes_of(world)),
            "pod_subnet": f"127.{octet(world)}.0.0/16",
        }


def nodes_of(world: World) -> tuple[str, ...]:
    """`sandbox-node`, `sandbox-node-2`, `sandbox-node-3`… of this run."""
    others = range(2, world.option("nodes") + 1)
    return ("sandbox-node", *(f"sandbox-node-{number}" for number in others))


def octet(world: World) -> int:
    """The second octet of this run's pod addresses."""
    return int(world.secret("pod-subnet", lambda: str(pick_octet(_is_free))))


def new_octet(world: World) -> int:
    """Another one, for a run that began at the same moment has the first."""
    picked = pick_octet(_is_free)
    with world.changing() as state:
        state["secrets"]["pod-subnet"] = str(picked)
    return picked


def _is_free(candidate: int) -> bool:
    return can_bind(f"127.{candidate}.0.1")


COMPONENT = NodeComponent()
