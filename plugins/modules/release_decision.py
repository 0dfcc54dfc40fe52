#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_decision
short_description: Approve or reject what a gate holds
version_added: 0.2.0
description:
  - Writes a person's decision into the record of a release, with name and reason. The run that watches hears of
    it within one interval of its gate; when none does, the next run of the phase takes it into account.
  - An approval lets go of the hold that there is, once, and never of a breach. A reject makes the gate roll back.
  - Refuses nobody, no reason, a release or gate that is not there, an approval of what does not hold, and what
    has ended.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  release:
    description: The release whose record it is.
    type: str
    required: true
  gate:
    description: The watch, as O(easymo.deploy.metrics_gate#module:gate).
    type: str
    default: monitoring
  decision:
    description: Whether the release goes on, V(approve), or back, V(reject).
    type: str
    choices: [approve, reject]
    required: true
  by:
    description: Who decides.
    type: str
    required: true
  reason:
    description: Why, for everybody who reads the record later.
    type: str
    required: true
notes:
  - Takes no lock, so that it works while the run that watches holds it.
seealso:
  - module: easymo.deploy.metrics_gate
"""

EXAMPLES = r"""
- name: Let the release go on
  easymo.deploy.release_decision:
    namespace: shop-prod
    release: 2.0.0
    decision: approve
    by: Ann
    reason: the marketing mail explains the load
"""

RETURN = r"""
decision:
  description:
    - The decision as the record has it. C(evidence) names the attempt, the watch and the hold that it is about,
      and why it held.
  returned: success
  type: dict
  sample:
    gate: monitoring
    decision: approve
    by: Ann
    reason: the marketing mail explains the load
    at: "2026-11-25T10:10:00Z"
    evidence: {attempt: 1, watch: "2026-11-25T09:05:00Z", held: "2026-11-25T10:05:00Z", reasons: [kafka_lag is 120 ms]}
sentence:
  description: What was done, for people.
  returned: success
  type: str
  sample: "Ann approved the watch 'monitoring' of release 2.0.0: the marketing mail explains the load."
reason:
  description: One word for why the task failed. V(Conflict) for what cannot be decided any more, or not yet.
  returned: failure
  type: str
  sample: Conflict
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._gate.store import record_decision
from ..module_utils._gate.verdict import ManualDecision
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, execute
from ..module_utils._time import utc_now
from ..module_utils._user import read_who_and_why

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    by, reason = read_who_and_why(by=params["by"], reason=params["reason"])
    wanted = ManualDecision(
        gate=params["gate"], decision=params["decision"], by=by, reason=reason, at=utc_now()
    )
    recorded = record_decision(
        cluster_for(module), params["release"], wanted, check_mode=module.check_mode
    )
    result = recorded.to_result()
    if module._diff:
        result["diff"] = recorded.to_diff()
    return result


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
