#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flags
short_description: Set feature flags in a ConfigMap
version_added: 0.1.0
description:
  - Sets keys of a ConfigMap that containers take their environment from, or mount. Keys that are not named stay as
    they are.
  - Written by server-side apply as C(easymo-deploy), bound to the version that was read, so two writers never undo
    each other unseen, and read back afterwards.
  - Values are checked before anything is touched. Text is kept as it is, but V(True) and V(False) as text are refused,
    because the platform reads V(true) and V(false) only.
  - Containers that take them from their environment do not see a change until they start again. Restart them with
    M(easymo.deploy.rollout) and RV(checksum). In both cases look with M(easymo.deploy.pod_flags), which also waits for
    those that take a ConfigMap volume's changes up while they run.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._flags.flagd
  - easymo.deploy._libraries.jinja2
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
  choices:
    description: The values that a flag may have, a list by name of the flag.
    type: dict
    default: {}
    version_added: 0.2.0
  kill_switch:
    description:
      - What to do while the kill switch, which M(easymo.deploy.kill_switch) sets, is set, and a flag would turn on what
        it holds off. Decided in the same request that writes, so a switch that is set meanwhile counts.
      - V(refuse) writes nothing and tells who set it, when, why, and how it is reset.
      - V(leave_off) leaves those flags as they are, warns, and writes the others.
      - V(reset_automatic) lets go of the flags in O(flags) that a failed phase or a way back holds off, and refuses for
        a switch that a person set. What else is held stays held. It refuses, too, for one that was set while the deploy
        lock was at O(fence) or later, for such a switch is meant for this very run.
    type: str
    choices: [refuse, leave_off, reset_automatic]
    default: refuse
    version_added: 0.2.0
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
  - module: easymo.deploy.kill_switch
  - module: easymo.deploy.pod_flags
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Turn the new checkout on for one percent of the users
  easymo.deploy.feature_flags:
    namespace: shop-prod
    flags:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1
    bounds:
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: [0, 100]
    choices:
      FEATURE_CHECKOUT: [true, false]
  register: flags

- name: Restart the pods that read them, once
  easymo.deploy.rollout:
    name: checkout
    namespace: shop-prod
    state: restarted
    checksum: "{{ flags.checksum }}"

- name: Put flags back as they were, but nothing that the kill switch holds off
  easymo.deploy.feature_flags:
    namespace: shop-prod
    flags: "{{ record.pins.config_maps['feature-flags'].data }}"
    kill_switch: leave_off
"""

RETURN = r"""
before:
  description: All keys of the ConfigMap before.
  returned: success
  type: dict
  sample: {FEATURE_CHECKOUT: "false"}
after:
  description: All keys of the ConfigMap after.
  returned: success
  type: dict
  sample: {FEATURE_CHECKOUT: "true"}
asked:
  description: The keys of O(flags), as they are written.
  returned: success
  type: dict
  sample: {FEATURE_CHECKOUT: "true"}
  version_added: 0.3.0
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
left_off:
  description: Flags that the kill switch holds off and that were left as they are.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 0.2.0
kill_switch:
  description:
    - The switch after, with RV(ignore:set_at), RV(ignore:by) and RV(ignore:reason). Empty when it is not set.
  returned: success, or when it forbids what was asked for
  type: dict
  sample: {}
  version_added: 0.2.0
reason: {description: One word for why the task failed., returned: failure, type: str, sample: KillSwitchSet}
"""

import typing as t

from ..module_utils._cluster import MonotonicClock
from ..module_utils._flags.apply import KillSwitch, decide_flags, to_diff, wish_under
from ..module_utils._flags.values import Document, to_values
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import lease_check_for
from ..module_utils._module import Module, documented, execute
from ..module_utils._templates import JINJA2

NEEDS = (KUBERNETES, JINJA2)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    flags = to_values(params["flags"], params["bounds"], params["choices"])
    cluster = cluster_for(module)
    plan = decide_flags(
        cluster,
        params["name"],
        lambda observed: wish_under(params["kill_switch"], observed, flags, fence=params["fence"]),
        force=params["force"],
        check_mode=module.check_mode,
        document=Document.from_options(params["flagd"]),
        guard=lease_check_for(
            cluster, params["fence"], clock=MonotonicClock(), name=params["lock"]
        ),
    )
    # What only the first manifest set is nobody's decision.
    if plan.overruled and plan.before.owned:
        module.warn(
            f"Flags in ConfigMap {params['name']!r} that {', '.join(plan.overruled)} set "
            f"{'would be' if module.check_mode else 'were'} changed."
        )
    left_off = sorted({*flags} - {*plan.wish.flags})
    if left_off:
        module.warn(f"The kill switch holds {', '.join(left_off)} off, so it stays off.")
    switch = KillSwitch.from_annotations(plan.annotations)
    result: dict[str, t.Any] = {
        "changed": plan.changed,
        "before": dict(plan.before.data),
        "after": dict(plan.after),
        "asked": dict(flags),
        "checksum": plan.checksum,
        "overruled": list(plan.overruled),
        "left_off": left_off,
        "kill_switch": switch.to_result() if switch else {},
    }
    if module._diff:
        result["diff"] = to_diff(plan)
    return result


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
