#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_scale
short_description: Stop Deployments, and start them again with as many pods as they had
version_added: 0.2.0
description:
  - With O(state=stopped) each Deployment is scaled to 0 and remembers its count in the annotation
    C(easymo.com/replicas-before). Count and memory are one write, so whoever kills the run at whatever moment, no count
    is lost. Ends when no pod is left, those that are still ending included.
  - With O(state=running) the remembered count is set and the memory taken away, again in one write. Ends when all pods
    are available. A Deployment without the memory keeps its count, for this module did not stop it; RV(left_alone)
    names it.
  - A Deployment that had no replicas remembers 0, and has 0 afterwards. One that is stopped already keeps its memory.
  - When somebody scales a stopped Deployment, what it remembers counts all the same. A warning says so.
  - A HorizontalPodAutoscaler does nothing while its Deployment has 0 replicas, by Kubernetes' own rule, and goes on
    when it has its count again. RV(autoscalers) names them.
  - Every write is bound to what was seen and is made anew, up to five times, when somebody else wrote in between.
  - On a host with a local connection it runs in the controller and tells what it waits for.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  deployments:
    description:
      - The Deployments, in the order in which they are written.
      - One that is missing keeps all others from being stopped, but none from being started.
    type: list
    elements: str
    required: true
  state:
    description: Whether they are to have no pods, or those they had.
    type: str
    choices: [stopped, running]
    required: true
  wait_timeout:
    description: Seconds to wait for the pods of all of them.
    type: int
    default: 300
notes:
  - Needs the verbs C(list), C(get) and C(patch) on C(deployments) of the API group C(apps), and C(list) on C(pods).
    C(list) on C(horizontalpodautoscalers) of C(autoscaling) if they are to be reported.
seealso:
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Stop all writers of the databases
  easymo.deploy.deployment_scale:
    namespace: shop-prod
    deployments: "{{ groups.microservices }}"
    state: stopped

- name: Start the services with their previous pod counts
  easymo.deploy.deployment_scale:
    namespace: shop-prod
    deployments: "{{ groups.microservices }}"
    state: running
    wait_timeout: 600
"""

RETURN = r"""
deployments:
  description: The replicas of each Deployment before and after, and what it remembers.
  returned: success
  type: dict
  sample: {wallet-service: {before: 3, after: 0, remembered: 3, changed: true}}
left_alone:
  description: Deployments that were not started because this module had not stopped them.
  returned: success
  type: list
  elements: str
  sample: []
autoscalers:
  description: The HorizontalPodAutoscaler of each Deployment that has one.
  returned: success
  type: dict
  sample: {wallet-service: wallet-service}
scaled:
  description: Deployments whose count was set when the task failed.
  returned: failure midway
  type: list
  elements: str
  sample: [checkout]
not_scaled:
  description: Deployments whose count was not set when the task failed.
  returned: failure midway
  type: list
  elements: str
  sample: [wallet-service]
waiting:
  description: What was left to wait for when the time was up, by Deployment.
  returned: when the time was up
  type: dict
  sample: {wallet-service: "1 pods left, 1 of them ending"}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: NotReady
"""

import typing as t

from ..module_utils._cluster import MonotonicClock
from ..module_utils._documentation import documented
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, emit_progress, execute, refuse_below
from ..module_utils._rollout.scale import Scaling

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, wait_timeout=1)
    clock = MonotonicClock()
    scaling = Scaling(
        cluster_for(module),
        clock=clock,
        deadline=clock.now() + params["wait_timeout"],
        report=lambda text: emit_progress(
            module, "ScaleProgress", text, {"state": params["state"]}
        ),
    )
    plan = scaling.plan(params["deployments"], params["state"])
    autoscalers = scaling.autoscalers(plan)
    if plan.overruled:
        module.warn(
            f"Somebody scaled {', '.join(plan.overruled)} while stopped: the stored count applies."
        )
    if module.check_mode:
        scaling.predict(plan)
    else:
        scaling.carry_out(plan)
    result = {**plan.to_result(), "autoscalers": autoscalers}
    if module._diff:
        result["diff"] = plan.to_diff()
    return result


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
