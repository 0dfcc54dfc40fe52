# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Looks at the flags that users have now, whatever a record says that was set."""

from __future__ import annotations

import typing as t

from .._cluster import Cluster
from .switch import KillSwitch
from .values import only_flags


def flags_now(cluster: Cluster, config_maps: t.Iterable[str]) -> dict[str, t.Any]:
    """`values` of these ConfigMaps by flag, and `kill_switch`, who switched off, {} for nobody; {} without any."""
    values: dict[str, str] = {}
    switch: KillSwitch | None = None
    bodies = [body for name in config_maps if (body := cluster.read("ConfigMap", name))]
    for body in bodies:
        values |= only_flags(body.get("data") or {})
        switch = KillSwitch.from_config_map(body) or switch
    if not bodies:
        return {}
    return {"values": values, "kill_switch": switch.to_result() if switch else {}}
