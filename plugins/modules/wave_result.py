#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: wave_result
short_description: Make what a wave did with one service the result of its host
version_added: 0.2.0
description:
  - M(easymo.deploy.rollout_wave) rolls the services of many hosts in one task. This gives each host its own result, its
    own failure and its own difference, as M(easymo.deploy.rollout) would have.
  - Does nothing itself, so C(changed) is what the wave did.
extends_documentation_fragment:
  - easymo.deploy._module.in_controller
attributes:
  check_mode:
    description: Tells what the wave predicted.
    support: full
  diff_mode:
    description: Shows the difference of this service.
    support: full
  idempotent:
    description: Says what the wave said.
    support: N/A
options:
  rollout:
    description: RV(easymo.deploy.rollout_wave#module:services) of this host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail the hosts whose service failed
  easymo.deploy.wave_result:
    rollout: "{{ wave.services[inventory_hostname] }}"
"""

RETURN = r"""
result:
  description: How the rollout ended, and all else that M(easymo.deploy.rollout) returns.
  returned: always, but for bad input
  type: str
  sample: succeeded
"""


from ..module_utils._module import Module, Result, documented, execute

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> Result:
    rollout = dict(module.params["rollout"])
    for warning in rollout.pop("warnings", []):
        module.warn(warning)
    return rollout


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
