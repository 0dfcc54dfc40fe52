# SPDX-License-Identifier: GPL-3.0-or-later
"""The waves in which the services of an inventory are released."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_waves
short_description: The waves in which the services of an inventory are released
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Orders the hosts of a group by the groups C(service_wave_1), C(service_wave_2) and so on that they are in. Hosts in
    no such group make the last wave.
  - In an inventory without such groups the first host is released alone, then three, then the rest.
  - Made for C(serial) of a play, which knows the groups of an inventory and no variable of it.
options:
  _input:
    description: The inventory's groups, as the variable C(groups).
    type: dict
    required: true
  group:
    description: The group of the services.
    type: str
    required: true
  only:
    description: The services to keep, of which alone there are waves then. All when not given.
    type: list
    elements: str
    version_added: 0.3.0
positional: group, only
"""

EXAMPLES = r"""
- name: Release the services wave after wave
  hosts: microservices
  serial: "{{ groups | easymo.deploy.service_waves('microservices') | map('length') }}"
"""

RETURN = r"""
_value:
  description: A list of hosts for each wave.
  type: list
  elements: list
"""

import typing as t

from ..module_utils._waves.rollback import Waves, waves_of


def service_waves(
    groups: t.Mapping[str, t.Sequence[str]], group: str, only: t.Collection[str] | None = None
) -> Waves:
    waves = waves_of(groups, group)
    remaining = ([entry for entry in wave if only is None or entry in only] for wave in waves)
    return [wave for wave in remaining if wave]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_waves": service_waves}
