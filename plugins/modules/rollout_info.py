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
  description: One entry for each Deployment, in the order of O(names), else of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The Deployment.
      returned: success
      type: str
      sample: wallet-service
    images:
      description: Image by container.
      returned: success
      type: dict
      sample: {wallet-service: "shop/wallet-service:v2.0.0"}
    revision:
      description: The revision of the current template.
      returned: success
      type: str
      sample: "8"
    complete:
      description: Whether the last change was observed and every pod is updated and available.
      returned: success
      type: bool
      sample: true
    paused:
      description: Whether it is paused.
      returned: success
      type: bool
      sample: false
    release:
      description: The release that M(easymo.deploy.rollout) last wrote on it, empty if none.
      returned: success
      type: str
      sample: 2.0.0
    change_cause:
      description: Why it was last changed, as far as somebody noted it.
      returned: success
      type: str
      sample: "release 2.0.0: wallet-service shop/wallet-service:v2.0.0"
    replicas:
      description: Pods. C(terminating) ones run on until they are gone.
      returned: success
      type: dict
      sample: {desired: 3, updated: 3, ready: 3, available: 3, terminating: 0}
    replica_set:
      description: The ReplicaSet of the current template, empty if there is none.
      returned: success
      type: str
      sample: wallet-service-6b664b4c8d
    conditions:
      description: The Deployment's conditions.
      returned: success
      type: list
      elements: dict
    pods:
      description: Its pods.
      returned: success
      type: list
      elements: dict
      sample:
        - name: wallet-service-6b664b4c8d-fq9zg
          phase: Running
          ready: true
          restarts: 0
          current: true
          terminating: false
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, execute
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
