# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of an inventory: their waves, and the variables of each for one task."""

from __future__ import annotations

import typing as t

from ..module_utils._waves.rollback import Waves, waves_of


def service_waves(
    groups: t.Mapping[str, t.Sequence[str]], group: str, only: t.Collection[str] | None = None
) -> Waves:
    waves = waves_of(groups, group)
    remaining = ([entry for entry in wave if only is None or entry in only] for wave in waves)
    return [wave for wave in remaining if wave]


Variables = t.Mapping[str, t.Any]


def host_values(
    hosts: t.Iterable[str], hostvars: t.Mapping[str, Variables], names: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    return [{"host": host, **_values(hostvars[host], names)} for host in hosts]


def _values(variables: Variables, names: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {key: variables[name] for key, name in names.items() if name in variables}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "service_waves": service_waves,
            "host_values": host_values,
        }
