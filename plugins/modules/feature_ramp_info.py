#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_ramp_info
short_description: Tell where a ramp stands, and when its next step may be taken
version_added: 0.2.0
description:
  - Reads what M(easymo.deploy.feature_ramp) would do, and never fails because the next step may not be taken.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._ramp
  - easymo.deploy._ramp.start
options:
  percentage:
    description: Where one would go. The next step when not given.
    type: int
notes:
  - The lock counts as another's whoever asks, so that this is for before it is taken.
seealso:
  - module: easymo.deploy.feature_ramp
"""

EXAMPLES = r"""
- name: Read the ramp's state
  easymo.deploy.feature_ramp_info:
    namespace: shop-prod
    flag: FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE
    enabled_by: FEATURE_CHECKOUT
    schedule:
      - {day: 1, percentage: 1}
      - {day: 2, percentage: 5}
  register: ramp

- name: Show it
  ansible.builtin.debug:
    msg: "{{ ramp.sentence }}"
"""

RETURN = r"""
action:
  description: What M(easymo.deploy.feature_ramp) would do, as its RV(easymo.deploy.feature_ramp#module:action).
  returned: success
  type: str
  sample: wait
sentence:
  description: The same in words, with every reason against the next step.
  returned: success
  type: str
  sample: >-
    The ramp is at 1 %, step 1 of 8, and it is good. Next is 5 %, step 2, about 500 users, but day 2 begins at
    2026-11-25 09:00:00 UTC.
before:
  description: Where it stands. The percentage is null for what is none, the step for what is no step.
  returned: success
  type: dict
  sample: {percentage: 1, step: 1}
percentage:
  description: Where it would stand then.
  returned: success
  type: int
  sample: 1
step:
  description: Which step that is, V(0) before the first.
  returned: success
  type: int
  sample: 1
steps:
  description: How many there are.
  returned: success
  type: int
  sample: 8
next:
  description: The next step up, as RV(easymo.deploy.feature_ramp#module:next). Empty after the last one.
  returned: success
  type: dict
  sample: {percentage: 5, step: 2, day: 2, users: 500, may: true, not_before: "", reasons: []}
needs_lock:
  description: Whether it would be done under the deploy lock. Also where nothing but another's lock is in the way.
  returned: success
  type: bool
  sample: false
notes:
  description: What was found otherwise than the ramp left it.
  returned: success
  type: list
  elements: str
  sample: []
ramp:
  description: The state, with the last 20 changes, as RV(easymo.deploy.feature_ramp#module:ramp).
  returned: success
  type: dict
  sample: {step: 1, percentage: 1, verdict: proceed, history: []}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Unreachable
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._kubernetes_module import cluster_for
from ..module_utils._module import Module, execute
from ..module_utils._ramp.apply import Ramp, RampFlags
from ..module_utils._ramp.describe import describe
from ..module_utils._ramp.options import read_percentage, read_schedule, read_start
from ..module_utils._ramp.plan import StepRequest, refuse_no_step
from ..module_utils._run_process import alive

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    schedule = read_schedule(params)
    request = StepRequest(
        by="", percentage=read_percentage(params["percentage"]), start=read_start(params)
    )
    refuse_no_step(schedule, request.percentage)
    place = RampFlags(params["name"], params["flag"], params["enabled_by"])
    ramp = Ramp(cluster_for(module), place, schedule, lock=params["lock"], alive=alive)
    ramp_plan, needs_lock = ramp.look(request)
    return {"changed": False, **describe(schedule, ramp_plan), "needs_lock": needs_lock}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
