# SPDX-License-Identifier: GPL-3.0-or-later
"""How the platform stands after a failure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: standing
short_description: How the platform stands after a failure, in a line for each part
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Puts together what modules that only read have returned. What one of them could not read is told as not known.
positional: rollouts, flags, config_map, parts, settlement
options:
  _input:
    description: What M(easymo.deploy.release_info) returned.
    type: dict
    required: true
  rollouts:
    description: What M(easymo.deploy.rollout_info) returned.
    type: dict
    required: true
  flags:
    description: What M(easymo.deploy.feature_flags) returned.
    type: dict
    required: true
  config_map:
    description: The name of the ConfigMap with the flags, under which the release has pinned them. Empty, none is told.
    type: str
    required: true
  parts:
    description: By phase, what it brings to the release.
    type: dict
    required: true
  settlement:
    description: What P(easymo.deploy.wave_outcome#filter) returned, empty where no wave failed.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Fail with how the platform stands
  easymo.deploy.stop:
    msg: "{{ cause }}"
    reason: PhaseFailed
    standing: "{{ record | easymo.deploy.standing(rollouts, flags, 'feature-flags', {'database': 'databases'}) }}"
"""

RETURN = r"""
_value:
  description: C(undone), a sentence, empty where nobody decided about that; C(now), a list of lines.
  type: dict
"""

import typing as t

from ..module_utils._status.lines import standing


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"standing": standing}
