#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_flags
short_description: Prove which feature flags pods run
version_added: 0.3.0
description:
  - Asks every pod of a Deployment which flags it runs, all at once. What a ConfigMap says is no proof, for a running
    container keeps the environment that it started with, and what is in a volume must still be read.
  - With O(wait_timeout) it waits until all follow what a mounted ConfigMap says. It has the kubelet look at the
    volumes at once, by the annotation C(easymo.com/flags-synced-at) of the pods that are behind.
  - With O(replace) it ends pods that have started with older flags than the ConfigMap's, which their kubelet did not
    know yet. Without both it changes nothing.
  - Pods that are ending are left out. A container that does not run counts as a difference, and so does a pod that
    cannot be asked.
  - C(easymo.deploy.pod_environment) is its former name, and O(flags) was called O(environment).
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._flags.probe
  - easymo.deploy._libraries.jmespath
options:
  name:
    description: The Deployment.
    type: str
    required: true
  container:
    description: The container. The Deployment's name when not given.
    type: str
  flags:
    description: The expected values by name, as in O(easymo.deploy.feature_flags#module:flags).
    type: dict
    required: true
    aliases: [environment]
  config_map:
    description:
      - The ConfigMap that has the flags as O(flags) says.
      - With it, a pod is neither waited for nor ended whose flags somebody else has changed there since, for it would
        only read those. Such a pod fails the task, which says so.
      - Counts only with O(wait_timeout).
    type: str
    default: ""
    version_added: 0.3.0
  wait_timeout:
    description:
      - Seconds for pods to follow a mounted ConfigMap, or for O(replace). V(0) asks once.
      - An environment never changes, so this needs another O(probe), or O(replace).
    type: int
    default: 0
  replace:
    description:
      - Whether to end pods that run with other flags, so that each makes place for one that reads the ConfigMap anew.
        One at a time, when those before it are replaced, from 10 seconds after the beginning of the task on, and only
        as long as those that took their places have the flags.
      - For pods that have their flags from the environment. A restart does not help all of them, for a kubelet may
        learn of a change of a ConfigMap after it has started a pod with it.
      - Counts only with O(wait_timeout).
    type: bool
    default: false
    version_added: 0.3.0
  moved:
    description:
      - Whether the flags were written just now. A pod that has them at the first look must then keep them for 15
        seconds, for what was written before may still be on its way to its process.
      - Counts only with O(wait_timeout).
    type: bool
    default: false
    version_added: 0.3.0
notes:
  - C(env), a command or files need C(create) on C(pods/exec), an endpoint C(get) on C(pods/proxy), and hurrying the
    kubelet C(patch) on C(pods). Without the last it takes the kubelet's own 60 to 90 seconds. O(replace) needs
    C(delete) on C(pods).
seealso:
  - module: easymo.deploy.feature_flags
"""

EXAMPLES = r"""
- name: See that every pod was started with the new checkout on for one percent
  easymo.deploy.pod_flags:
    name: checkout
    namespace: shop-prod
    flags:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1

- name: Wait until every pod has taken up the percentage from its volume
  easymo.deploy.pod_flags:
    name: checkout
    namespace: shop-prod
    flags:
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 5
    probe:
      http: {port: 8080, path: /flags}
      values: flags
    wait_timeout: 120
"""

RETURN = r"""
pods:
  description:
    - One entry for each pod that was asked, with what it runs of the expected flags as C(seen), null for one that it
      does not tell. C(problems) tells in words what differs, and C(at) how many seconds after the beginning of the task
      it was first seen so.
  returned: success, or when values differ
  type: list
  elements: dict
  sample: [{pod: checkout-6b664b4c8d-fq9zg, seen: {FEATURE_CHECKOUT: "true"}, problems: [], at: 1.31}]
replaced:
  description: The pods that were ended.
  returned: success, or when values differ
  type: list
  elements: str
  sample: []
reached_after:
  description: Seconds from the beginning of the task until the last pod was seen to run the flags.
  returned: success
  type: float
  sample: 1.31
reason: {description: One word for why the task failed., returned: failure, type: str, sample: VerificationFailed}
"""

from ..module_utils._delivery import prove_pods
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._templates import JMESPATH

NEEDS = (KUBERNETES, JMESPATH)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> Result:
    return prove_pods(module)


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
