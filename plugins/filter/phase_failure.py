# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a phase failed, with the failure of each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: phase_failure
short_description: Why a phase failed, with the failure of each host
version_added: 0.3.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Of M(easymo.deploy.rollout_wave), which works for many hosts, each failed service is the failure of its own host.
    Any other task is that of the host that it ran on.
positional: task, host
options:
  _input:
    description: The result of a task, for example C(ansible_failed_result) in a rescue.
    type: dict
    required: true
  task:
    description: The name of the task.
    type: str
    required: true
  host:
    description: The host that the task ran on.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Keep the cause
  ansible.builtin.set_fact:
    failure: "{{ ansible_failed_result | easymo.deploy.phase_failure(ansible_failed_task.name, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - C(task); C(message), a sentence; C(reason), one word, V(Hold) only where each is a hold; C(result), how a rollout
      ended; C(lease_lost), whether another run took the deploy lock; C(by_host), these of each host.
  type: dict
  sample:
    task: Roll out
    message: No such image.
    reason: ImageNotFound
    result: rolled_back
    lease_lost: false
    by_host:
      wallet-service:
        {task: Roll out, message: No such image., reason: ImageNotFound, result: rolled_back, lease_lost: false}
"""

import typing as t

from ..module_utils._release.models import phase_failure


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"phase_failure": phase_failure}
