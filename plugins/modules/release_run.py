#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_run
short_description: Begin a phase of a release, or another run that changes it
version_added: 0.3.0
description:
  - Refuses a phase before earlier ones are done or waived, and under a person's kill switch. Then it takes the deploy
    lock, or makes sure that this run has it still, and refuses what begins outside the launch window. A refused run
    writes nothing to the release record.
  - Then it records that the phase runs, and pins what a rollback returns to. What cannot be pinned fails the phase.
  - Processes of their own renew the lock, write the page of the release and ask the public addresses, until the run of
    ansible-playbook ends, however it ends. See M(easymo.deploy.deploy_lock) and M(easymo.deploy.availability).
  - The page is a C(report.html) that is written again every O(page.interval) seconds when something changed, and every
    30 seconds anyway. What goes on now stands on top. Its last version tells how the run ended, also when it was
    killed. Where the report was written meanwhile by M(easymo.deploy.release_report), that is the last page.
  - A page is written whole or not at all. It refreshes itself every 10 seconds while the release runs, and says so when
    its time of writing is more than two minutes ago. It holds no secret. What has the form of one is blanked out.
  - A page that cannot be written is a warning, stands on the other pages when it happens later, and is tried again. Nor
    does a run fail because something cannot be measured. Of a release that is not running nothing is written.
  - In check mode nothing is taken or started. The lock's holder is told instead.
  - Only what it writes to the record counts as a change, for the rest ends with the run.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._release_run.order
  - easymo.deploy._release_run
  - easymo.deploy._libraries.boto3
  - easymo.deploy._libraries.jinja2
  - easymo.deploy._libraries.requests
options:
  release:
    description: The version, for example V(2.0.0).
    type: str
    required: true
  phase:
    description: The phase that begins. Nothing needs an order and nothing is recorded when not given.
    type: str
  pin:
    description: What to keep of the world before the phase changes it, as for M(easymo.deploy.release).
    type: dict
    default: {}
  facts:
    description:
      - Facts to record as the phase begins, as for M(easymo.deploy.release). An override of the launch window and a
        lock that was taken by force are added.
    type: dict
    default: {}
  ramped:
    description: Percentages in the ConfigMap O(order.flags) that others move once they are set. See RV(ramped).
    type: list
    elements: str
    default: []
  flags:
    description:
      - Flags that the phase will write to the ConfigMap O(order.flags). While a person's kill switch holds one of them
        off, the run is refused.
    type: dict
    default: {}
  purpose:
    description:
      - As for M(easymo.deploy.deploy_lock). V(undo) takes the release back. A run that loses the lock to it can no
        longer write the release record.
    type: str
    choices: [deploy, undo]
    default: deploy
  fence:
    description:
      - RV(fence) of this run's earlier task, 0 for its first one. The page is begun by the first one alone. The task
        fails with V(LeaseLost) unless the run has held the lock ever since.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Begin a phase, with a page that others see, too
  easymo.deploy.release_run:
    release: 2.0.0
    namespace: shop-prod
    phase: microservices
    order:
      phases: [preflight, database, microservices]
    pin:
      deployments: "{{ groups['microservices'] }}"
    page:
      dest: .deploy/2.0.0
      plan: "{{ release_plan }}"
      services: "{{ groups.microservices }}"
      time_zone: Africa/Kigali
      s3:
        bucket: shop-releases
        key: 2.0.0.html
        region: eu-west-1
"""

RETURN = r"""
lock:
  description: The lock after, as RV(easymo.deploy.deploy_lock#module:lock) has it.
  returned: success, and when another holds it
  type: dict
  sample: {name: easymo-deploy, held: true, holder: jane@build-1, release: 2.0.0, purpose: deploy, fence: 7}
fence:
  description: The epoch of the lock. Give it to what writes under the lock. 0 in check mode.
  returned: success
  type: int
  sample: 7
sentence:
  description: Lock and freeze in words.
  returned: in check mode
  type: str
  sample: the deploy lock 'easymo-deploy' is free
record:
  description: The release record after, as RV(easymo.deploy.release#module:record) has it. Empty without O(phase).
  returned: success
  type: dict
  sample: {version: 2.0.0, attempt: 1, status: running, phases: {preflight: {status: running}}}
phase:
  description: What the record has of O(phase), as RV(easymo.deploy.release#module:phase).
  returned: success with O(phase)
  type: dict
  sample: {status: running, started: "2026-11-24T06:00:00Z", finished: "", evidence: {}}
at:
  description: The time at which the phase was opened, RFC 3339.
  returned: success with O(phase)
  type: str
  sample: "2026-11-24T06:00:00Z"
repaired_since:
  description: As RV(easymo.deploy.release#module:repaired_since).
  returned: success with O(phase)
  type: str
  sample: "2026-11-24T06:00:00Z"
ramped:
  description:
    - The present values of O(ramped), once phase feature_flags of this attempt is done. Empty before, and while the
      feature is off, for a deployment turns on again what was switched off.
  returned: success with O(phase)
  type: dict
  sample: {FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 10}
measures:
  description: Whether this task saw to it that the public addresses are asked.
  returned: success
  type: bool
missing_phases:
  description: The phases that must be done or waived first, in their order.
  returned: when it fails with V(OutOfOrder)
  type: list
  elements: str
  sample: [preflight, database]
reason:
  description: One word for why the task failed, V(Locked), V(LeaseLost), V(Frozen) and V(OutOfOrder) among them.
  returned: failure
  type: str
  sample: Locked
"""

import typing as t

from ..module_utils._errors import refuse_missing
from ..module_utils._http import REQUESTS
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._release_run import begin
from ..module_utils._s3 import BOTO3
from ..module_utils._templates import JINJA2

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES, JINJA2, REQUESTS))


def run(module: Module) -> dict[str, t.Any]:
    refuse_below(module.params, fence=0)
    refuse_missing([BOTO3] if (module.params["page"] or {}).get("s3") else [])
    return begin(module)


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
