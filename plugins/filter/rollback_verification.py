# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollback proved."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollback_verification
short_description: What a rollback proved, a row for each thing that it must bring back
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - From what was tried after a rollback to rows that say whether each thing is V(verified), V(failed) or
    V(not looked at). What could not be told was not looked at.
options:
  _input:
    description: The result of M(easymo.deploy.smoke_tests).
    type: dict
    required: true
  pods:
    description: The result of a loop over M(easymo.deploy.pod_flags).
    type: dict
    required: true
  pins:
    description:
      - What ran before the release, as C(pins.deployments) of M(easymo.deploy.release_info).
      - None when services did not go back.
    type: dict
  deployments:
    description: What runs now, as M(easymo.deploy.rollout_info) returns it.
    type: list
    elements: dict
    default: []
  running:
    description: The result of M(easymo.deploy.health_check) about all pods. None when that was not looked at.
    type: dict
    version_added: 0.3.0
  returned:
    description: The same about the services that went back. Empty when none did, or it was not looked at.
    type: dict
    default: {}
    version_added: 0.3.0
"""

EXAMPLES = r"""
- name: Tell what was verified
  ansible.builtin.debug:
    msg: "{{ tests | easymo.deploy.rollback_verification(pods) }}"
"""

RETURN = r"""
_value:
  description: A list of C(name), C(status) and C(detail).
  type: list
  elements: dict
"""

import typing as t

from ..module_utils._claims.rollback import verification


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollback_verification": verification}
