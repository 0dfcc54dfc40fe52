#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_preflight
short_description: Tell what stands against rolling Deployments out without downtime
version_added: 0.2.0
description:
  - Looks at Deployments and at what they depend on, and tells every problem at once, before anything is touched.
  - An error is a rollout that would fail, or an outage while it goes on. A warning is what a release survives, and
    somebody should know.
  - Asks the server about each right that M(easymo.deploy.rollout) uses, by SelfSubjectAccessReview.
  - Of Secrets that pods refer to only the names of their keys are looked at.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  names:
    description: The Deployments to check. All of the namespace when not given. A named one that is missing is an error.
    type: list
    elements: str
  release:
    description:
      - The version that is about to be rolled. A rollout of it that is not complete is a warning, since
        M(easymo.deploy.rollout) takes it up, where that of another release is an error.
    type: str
  fail_on:
    description:
      - From which severity on the task fails. With V(never) it only tells, in RV(problems).
    type: str
    choices: [error, warning, never]
    default: error
notes:
  - Needs the verb C(list) on C(deployments), C(replicasets), C(pods), C(horizontalpodautoscalers),
    C(poddisruptionbudgets) and C(resourcequotas), and C(get) on C(configmaps) and C(secrets). Whatever of it but the
    Deployments may not be seen becomes a warning.
seealso:
  - module: easymo.deploy.rollout
  - module: easymo.deploy.rollout_info
"""

EXAMPLES = r"""
- name: Refuse to begin when a rollout would not be smooth
  easymo.deploy.rollout_preflight:
    namespace: shop-prod
    names: "{{ groups.microservices }}"
    release: 2.0.0

- name: Only look
  easymo.deploy.rollout_preflight:
    namespace: shop-prod
    fail_on: never
  register: preflight
"""

RETURN = r"""
problems:
  description: Everything that was found, errors first. Empty when all is well.
  returned: when the Deployments were seen
  type: list
  elements: dict
  contains:
    deployment:
      description: The Deployment, empty for what concerns all of them.
      returned: always
      type: str
      sample: wallet-service
    check:
      description:
        - Which check found it. One of V(Access), V(Unseen), V(InFlight), V(Scaling), V(Paused), V(Strategy),
          V(MaxUnavailable), V(Replicas), V(ReadinessProbe), V(References), V(Quota), V(DisruptionBudget),
          V(RevisionHistory), V(ProgressDeadline), V(TerminationGrace) and V(OtherWriters).
      returned: always
      type: str
      sample: ReadinessProbe
    severity:
      description: V(error) or V(warning).
      returned: always
      type: str
      sample: error
    message:
      description: One sentence.
      returned: always
      type: str
      sample: no container has a readinessProbe, so pods get traffic before they can serve
autoscalers:
  description: The Deployments whose replicas a HorizontalPodAutoscaler sets. A rollout leaves them to it.
  returned: when the Deployments were seen
  type: list
  elements: str
  sample: [wallet-service]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: NotReady
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._errors import NotReadyError
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._kubernetes_module import cluster_for
from ..module_utils._module import Module, execute
from ..module_utils._rollout_preflight.checks import find_problems
from ..module_utils._rollout_preflight.facts import ERROR, WARNING, observe_facts

NEEDS = (KUBERNETES,)
FATAL = {"error": {ERROR}, "warning": {ERROR, WARNING}, "never": set[str]()}


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    facts = observe_facts(
        cluster_for(module), module.params["names"], release=module.params["release"] or ""
    )
    problems = find_problems(facts)
    result = {
        "problems": [one.to_json() for one in problems],
        "autoscalers": sorted(one["spec"]["scaleTargetRef"]["name"] for one in facts.autoscalers),
    }
    fatal = [one for one in problems if one.severity in FATAL[module.params["fail_on"]]]
    if fatal:
        raise NotReadyError(
            f"{len(fatal)} problems prevent a rollout without downtime: "
            f"{'; '.join(map(str, fatal))}. Nothing was touched.",
            **result,
        )
    for one in problems:
        if one.severity == WARNING and module.params["fail_on"] == "error":
            module.warn(f"{one}.")
    return {"changed": False, **result}


def main() -> None:
    execute(module_spec(), run, needs=NEEDS)


if __name__ == "__main__":
    main()
