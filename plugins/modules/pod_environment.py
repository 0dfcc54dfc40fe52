#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_environment
short_description: Check the environment that pods really run with
version_added: 0.1.0
description:
  - Asks in every pod of a Deployment, by running C(env) in its container, whether variables have the expected values.
    What a ConfigMap says is no proof, for a running container keeps what it started with.
  - Pods that are ending are left out. A container that does not run counts as a difference.
  - The container needs an C(env) command. It cannot tell variables apart whose value has several lines.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  name:
    description: The Deployment.
    type: str
    required: true
  container:
    description: The container. The Deployment's name when not given.
    type: str
  environment:
    description: The expected values by name of the variable, as in O(easymo.deploy.feature_flags#module:flags).
    type: dict
    required: true
seealso:
  - module: easymo.deploy.feature_flags
"""

EXAMPLES = r"""
- name: See that every pod has the new checkout on for one percent
  easymo.deploy.pod_environment:
    name: checkout
    namespace: shop-prod
    environment:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1
"""

RETURN = r"""
pods:
  description: One entry for each pod that was asked.
  returned: success, or when values differ
  type: list
  elements: dict
  contains:
    pod:
      description: The pod.
      returned: always
      type: str
      sample: checkout-6b664b4c8d-fq9zg
    seen:
      description: What the container has of the expected variables; null for one that is not set.
      returned: always
      type: dict
      sample: {FEATURE_CHECKOUT: "true"}
    problems:
      description: What differs, in words.
      returned: always
      type: list
      elements: str
      sample: []
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: VerificationFailed
"""

import typing as t

from ..module_utils._errors import InputError, VerificationError
from ..module_utils._flags.pods import Finding, observe_environment
from ..module_utils._flags.values import to_values
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._kubernetes_module import cluster_for
from ..module_utils._module import Module, execute
from ..module_utils._options import kubernetes_options
from ..module_utils._rollout.observe import observe_deployment

NEEDS = (KUBERNETES,)


def module_spec() -> dict[str, t.Any]:
    return {
        "argument_spec": {
            **kubernetes_options(),
            "name": {"type": "str", "required": True},
            "container": {"type": "str"},
            "environment": {"type": "dict", "required": True},
        },
    }


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    name, container = params["name"], params["container"] or params["name"]
    values = to_values(params["environment"], {})
    expected = {key: value for key, value in values.items() if value is not None}
    cluster = cluster_for(module)
    deployment = observe_deployment(cluster, name)
    if container not in deployment.images:
        raise InputError(
            f"Deployment {name!r} has no container {container!r}: it has "
            f"{', '.join(map(repr, deployment.images))}. Set 'container' to one of them."
        )
    findings = observe_environment(cluster, deployment, container, expected)
    check_findings(name, findings)
    return {"changed": False, "pods": [to_json(one) for one in findings]}


def check_findings(name: str, findings: list[Finding]) -> None:
    pods = [to_json(one) for one in findings]
    if not findings:
        raise VerificationError(
            f"Deployment {name!r} has no pods, so nothing has these values.", pods=pods
        )
    wrong = [f"in pod {one.pod} {'; '.join(one.problems)}" for one in findings if one.problems]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {len(findings)} pods of {name!r} run with another environment: "
            f"{', '.join(wrong)}. Restart them if the ConfigMap is right.",
            pods=pods,
        )


def to_json(finding: Finding) -> dict[str, t.Any]:
    return {"pod": finding.pod, "seen": dict(finding.seen), "problems": list(finding.problems)}


def main() -> None:
    execute(module_spec(), run, needs=NEEDS)


if __name__ == "__main__":
    main()
