#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flags
short_description: Set feature flags in a ConfigMap
version_added: 0.1.0
description:
  - Sets keys of a ConfigMap that containers take their environment from. Keys that are not named stay as they are.
  - Written by server-side apply as C(easymo-deploy), bound to the version that was read, so two writers never undo
    each other unseen, and read back afterwards.
  - Values are checked before anything is touched. Text is kept as it is, but V(True) and V(False) as text are refused,
    because the platform reads V(true) and V(false) only.
  - Running containers do not see a change until they start again. Restart them with M(easymo.deploy.rollout) and
    RV(checksum), and look with M(easymo.deploy.pod_environment).
author:
  - EasyMO (@easymo)
requirements:
  - kubernetes >= 34
extends_documentation_fragment:
  - easymo.deploy._attributes
  - easymo.deploy._attributes_controller
  - easymo.deploy._kubernetes
  - easymo.deploy._guard
options:
  name:
    description: The ConfigMap. It is created when it is missing.
    type: str
    default: feature-flags
  flags:
    description:
      - Flags by name. Names are those of environment variables, in capitals.
      - A boolean, an integer or a text; null takes the flag out.
    type: dict
    required: true
  bounds:
    description: The least and the greatest integer that a flag may be, by name of the flag.
    type: dict
    default: {}
  force:
    description:
      - Whether to change a flag that somebody else set, for example by C(kubectl apply) or C(kubectl patch).
      - By default yes, for a flag that cannot be turned off because of who turned it on endangers production. It is
        never silent, RV(overruled) and a warning name whom.
      - A later C(kubectl apply) of an older file sets its values again.
    type: bool
    default: true
seealso:
  - module: easymo.deploy.deploy_lock
  - module: easymo.deploy.pod_environment
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Turn the AI agents on for one percent of the users
  easymo.deploy.feature_flags:
    namespace: easymo-prod
    flags:
      FEATURE_AI_AGENTS: true
      FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE: 1
    bounds:
      FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE: [0, 100]
  register: flags

- name: Restart the pods that read them, once
  easymo.deploy.rollout:
    name: agent-core
    namespace: easymo-prod
    state: restarted
    checksum: "{{ flags.checksum }}"

- name: Turn them off at once, whatever else is set
  easymo.deploy.feature_flags:
    namespace: easymo-prod
    flags:
      FEATURE_AI_AGENTS: false
"""

RETURN = r"""
before:
  description: All keys of the ConfigMap before.
  returned: success
  type: dict
  sample: {FEATURE_AI_AGENTS: "false"}
after:
  description: All keys of the ConfigMap after.
  returned: success
  type: dict
  sample: {FEATURE_AI_AGENTS: "true"}
checksum:
  description: SHA-256 of all keys after, for O(easymo.deploy.rollout#module:checksum).
  returned: success
  type: str
  sample: 1ff1de774005f8da13f42943881c655f2f1ab1f1cb2a50a76c3c5b3f9c1f6b55
overruled:
  description: Field managers whose value was changed.
  returned: success
  type: list
  elements: str
  sample: [kubectl-client-side-apply]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import change_flags
from ansible_collections.easymo.deploy.plugins.module_utils._flags.values import to_values
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import (
    KUBERNETES,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_module import cluster_for
from ansible_collections.easymo.deploy.plugins.module_utils._lock.guard import guard_for
from ansible_collections.easymo.deploy.plugins.module_utils._module import Module, execute
from ansible_collections.easymo.deploy.plugins.module_utils._options import (
    guard_options,
    kubernetes_options,
)

NEEDS = (KUBERNETES,)


def module_spec() -> dict[str, t.Any]:
    return {
        "argument_spec": {
            **kubernetes_options(),
            **guard_options(),
            "name": {"type": "str", "default": "feature-flags"},
            "flags": {"type": "dict", "required": True},
            "bounds": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": True},
        },
        "supports_check_mode": True,
    }


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    flags = to_values(params["flags"], params["bounds"])
    cluster = cluster_for(module)
    plan = change_flags(
        cluster,
        params["name"],
        flags,
        force=params["force"],
        check_mode=module.check_mode,
        guard=guard_for(cluster, params["fence"], clock=MonotonicClock(), name=params["lock"]),
    )
    if plan.overruled:
        module.warn(
            f"Flags in ConfigMap {params['name']!r} that {', '.join(plan.overruled)} set were changed."
        )
    result: dict[str, t.Any] = {
        "changed": plan.changed,
        "before": dict(plan.before.data),
        "after": dict(plan.after),
        "checksum": plan.checksum,
        "overruled": list(plan.overruled),
    }
    if module._diff:
        result["diff"] = {"before": result["before"], "after": result["after"]}
    return result


def main() -> None:
    execute(AnsibleModule(**module_spec()), run, needs=NEEDS)


if __name__ == "__main__":
    main()
