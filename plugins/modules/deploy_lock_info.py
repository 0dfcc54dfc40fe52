#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock_info
short_description: Tell who deploys, and whether deployments are frozen
version_added: 0.2.0
description:
  - Reads the lock that M(easymo.deploy.deploy_lock) keeps, and the freeze. Never waits and never fails for either.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  name:
    description: The Lease.
    type: str
    default: easymo-deploy
notes:
  - Needs the verb C(get) on C(leases) of C(coordination.k8s.io) and on C(configmaps), and C(list) on C(deployments) of
    C(apps) while there is no Lease yet.
seealso:
  - module: easymo.deploy.deploy_lock
"""

EXAMPLES = r"""
- name: See who is deploying
  easymo.deploy.deploy_lock_info:
    namespace: shop-prod
  register: lock

- name: Show it
  ansible.builtin.debug:
    msg: "{{ lock.sentence }}"
"""

RETURN = r"""
lock:
  description: The lock, as RV(easymo.deploy.deploy_lock#module:lock). Its texts are empty while it is free.
  returned: success
  type: dict
  sample: {name: easymo-deploy, held: true, holder: jane@build-1, release: 2.0.0, purpose: deploy, fence: 7}
freeze:
  description: The freeze that is in force, empty if there is none.
  returned: success
  type: dict
  sample: {name: deploy-freeze, reason: Black Friday, by: ann, until: "2026-11-28T06:00:00Z"}
sentence:
  description: Both in words.
  returned: success
  type: str
  sample: >-
    jane@build-1 (pid 4711) holds 'easymo-deploy' to deploy 2.0.0 since 2026-11-24 09:00:00 UTC, until
    2026-11-24 09:05:20 UTC unless renewed.
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Unreachable
"""

import typing as t

from ..module_utils._cluster import MonotonicClock
from ..module_utils._documentation import documented
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._kubernetes_module import cluster_for
from ..module_utils._lock.apply import Locking
from ..module_utils._lock.models import LockClaim
from ..module_utils._lock.plan import describe
from ..module_utils._module import Module, execute
from ..module_utils._run import never_alive

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    locking = Locking(
        cluster_for(module),
        module.params["name"],
        LockClaim(holder=""),
        clock=MonotonicClock(),
        alive=never_alive,
    )
    lock, freeze = locking.read(), locking.freeze()
    told = describe(lock)
    return {
        "changed": False,
        "lock": lock.to_result(),
        "freeze": freeze.to_result() if freeze else {},
        "sentence": ". ".join([told[0].upper() + told[1:], *([str(freeze)] if freeze else [])])
        + ".",
    }


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
