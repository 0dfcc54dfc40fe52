#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Read where Deployments stand
version_added: 0.1.0
description:
  - Reads Deployments with their current ReplicaSets and their pods, in three requests however many there are.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  names:
    description: The Deployments to read. All of the namespace when not given. A named one that is missing is an error.
    type: list
    elements: str
seealso:
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: See where every Deployment stands
  easymo.deploy.rollout_info:
    namespace: shop-prod
  register: rollouts

- name: Insist that all are complete, with every pod ready
  ansible.builtin.assert:
    that: rollouts.deployments | rejectattr('complete') | length == 0
"""

RETURN = r"""
deployments:
  description:
    - One entry for each Deployment, in the order of O(names), else of their names. It has its C(name), the image by
      container, and the C(revision) of the current template. It is C(complete) when the last change was observed and
      every pod is updated and available.
    - C(release) is the one that M(easymo.deploy.rollout) last wrote on it, empty if none, and C(change_cause) why it
      was last changed, as far as somebody noted it.
    - Of C(replicas), C(terminating) ones run on until they are gone. C(replica_set) is that of the current template,
      empty if there is none. C(conditions) are the Deployment's.
  returned: success
  type: list
  elements: dict
  sample:
    - name: wallet-service
      images: {wallet-service: "shop/wallet-service:v2.0.0"}
      revision: "8"
      complete: true
      paused: false
      release: 2.0.0
      change_cause: "release 2.0.0: wallet-service shop/wallet-service:v2.0.0"
      replicas: {desired: 3, updated: 3, ready: 3, available: 3, terminating: 0}
      replica_set: wallet-service-6b664b4c8d
      conditions: []
      pods:
        - name: wallet-service-6b664b4c8d-fq9zg
          phase: Running
          ready: true
          restarts: 0
          current: true
          terminating: false
reason: {description: One word for why the task failed., returned: failure, type: str, sample: InvalidInput}
"""

import typing as t

from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, execute
from ..module_utils._rollout.observer import observe_standings

NEEDS = (KUBERNETES,)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    standings = observe_standings(cluster_for(module), module.params["names"])
    return {"changed": False, "deployments": standings}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
