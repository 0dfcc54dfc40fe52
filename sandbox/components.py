# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component of the sandbox, which of them a run has, and in which order they stop."""

from __future__ import annotations

import graphlib
import typing as t

import sandbox.alertmanager
import sandbox.exporters.component
import sandbox.gateway.component
import sandbox.kafka
import sandbox.kubernetes.component
import sandbox.node.component
import sandbox.postgres.component
import sandbox.prometheus
import sandbox.seaweedfs
import sandbox.sinks.component
import sandbox.smtp
import sandbox.supabase.component
import sandbox.valkey
from sandbox.errors import SandboxError

if t.TYPE_CHECKING:
    from sandbox.component import Component


def select_components(
    components: t.Sequence[Component], only: t.Collection[str]
) -> tuple[Component, ...]:
    """The components named in `only` and all they need; every one when `only` is empty."""
    named = {component.name: component for component in components}
    require_known(only, named)
    wanted: set[str] = set()
    queue = list(only or named)
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue.extend(requirements(named[name]))
    return tuple(component for component in components if component.name in wanted)


def requirements(component: Component) -> tuple[str, ...]:
    return (*component.needs, *component.settles_after, *component.settles_with)


def require_known(names: t.Iterable[str], known: t.Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise SandboxError(
                f"There is no component {name!r} in the sandbox: choose from {', '.join(known)}."
            )


def stop_waves(needs: t.Mapping[str, t.Collection[str]]) -> list[set[str]]:
    """Groups that may stop together, those that others need last."""
    graph = {name: set(of) & set(needs) for name, of in needs.items()}
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()
    waves: list[set[str]] = []
    while sorter.is_active():
        wave = set(sorter.get_ready())
        waves.insert(0, wave)
        sorter.done(*wave)
    return waves


COMPONENTS: tuple[Component, ...] = (
    sandbox.postgres.component.COMPONENT,
    sandbox.valkey.COMPONENT,
    sandbox.seaweedfs.COMPONENT,
    sandbox.kafka.COMPONENT,
    sandbox.kubernetes.component.COMPONENT,
    sandbox.node.component.COMPONENT,
    sandbox.supabase.component.COMPONENT,
    sandbox.gateway.component.COMPONENT,
    sandbox.exporters.component.COMPONENT,
    sandbox.prometheus.COMPONENT,
    sandbox.alertmanager.COMPONENT,
    sandbox.sinks.component.COMPONENT,
    sandbox.smtp.COMPONENT,
)
