# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of several hosts, for one task that works for all of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_values
short_description: Variables of several hosts, for one task that works for all of them
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Makes a dictionary of each host, with its name as C(host) and the variables that are asked for.
  - The variables are those of the inventory, as C(hostvars) has them. One that a host does not have is left out.
positional: hostvars, names
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  names:
    description: The variable by the key that it gets.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Roll the services of this batch in one task
  easymo.deploy.rollout_wave:
    services: "{{ ansible_play_batch | easymo.deploy.host_values(hostvars, {'name': 'deployment', 'image': 'image'}) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One dictionary a host, in their order.
  type: list
  elements: dict
  sample: [{host: wallet-service, name: wallet, image: "shop/wallet-service:v2.0.0"}]
"""

import typing as t

Variables = t.Mapping[str, t.Any]


def host_values(
    hosts: t.Iterable[str], hostvars: t.Mapping[str, Variables], names: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    return [{"host": host, **_values(hostvars[host], names)} for host in hosts]


def _values(variables: Variables, names: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {key: variables[name] for key, name in names.items() if name in variables}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_values": host_values}
