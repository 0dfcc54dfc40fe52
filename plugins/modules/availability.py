#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: availability
short_description: Measure whether the public addresses answer while a release goes on
version_added: 0.2.0
description:
  - Starts a prober, a process of its own that asks every address at its pace, whatever another one does. It lives as
    long as the run of ansible-playbook and ends with it, however that ends. A run that resumes the release goes on with
    what was measured, and the time in between is told as a gap.
  - An address that does not answer with a status of 200 to 299 within O(timeout) has failed. With a C(verify_token) it
    is the webhook's, which has to echo a challenge.
  - When every address fails, and the API server and all of O(controls) too, this machine saw nothing. That is a gap,
    and no downtime. Without O(controls) such a gap counts as downtime.
  - What is measured stands in a ConfigMap of its own beside the release's record, for each attempt anew, and
    M(easymo.deploy.release_info) reads it. It is written each 15 seconds and at the end, by the run that holds the
    deploy lock only. A prober that is killed loses at most that, which is told as a gap.
  - A run never fails because something cannot be measured. It is warned.
  - In check mode nothing is started.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._release_run.addresses
  - easymo.deploy._kubernetes
  - easymo.deploy._libraries.requests
options:
  release:
    description: The version, for example V(2.0.0).
    type: str
    required: true
  state:
    description:
      - V(started) has the addresses asked from now on; when they are asked already, nothing changes. Of a release that
        is signed off nothing is measured any longer.
      - V(stopped) ends that, and closes what was measured.
    type: str
    choices: [started, stopped]
    default: started
  subject:
    description: Whether it is the release that is measured, or its rollback. Each is kept by itself.
    type: str
    choices: [release, rollback]
    default: release
  read_release:
    description: Whether it returns what M(easymo.deploy.release_info) does, evidence only with O(subject=rollback).
    type: bool
    default: false
  lock:
    description: The Lease of the deploy lock.
    type: str
    default: easymo-deploy
  fence:
    description:
      - RV(easymo.deploy.deploy_lock#module:fence) of this run, 0 for no lock. The prober ends when another run takes
        it.
    type: int
    default: 0
notes:
  - The proxies of the environment are used, certificates are verified.
"""

EXAMPLES = r"""
- name: Measure the wallet and the webhook from here on
  easymo.deploy.availability:
    release: 2.0.0
    namespace: shop-prod
    fence: "{{ lock.fence }}"
    targets:
      - {name: wallet-service, url: "https://api.example.com/health/wallet-service"}
      - {name: webhook, url: "https://example.com/webhook", verify_token: "{{ verify_token }}"}
    controls: ["https://slack.com"]
"""

RETURN = r"""
sentence:
  description: What was done, or would be.
  returned: success
  type: str
  sample: Asks 13 public addresses once a second each.
availability:
  description:
    - What that allows to say. C(verdict) is V(complete) when every address was asked without a gap and never failed,
      V(partial) when something failed or was not seen, and V(not_measured) with a C(reason) when nothing is known.
    - C(downtime) is the time, in seconds, in which at least one address did not answer; C(unseen) that of the gaps.
  returned: success
  type: dict
  sample:
    verdict: partial
    reason: ""
    targets: 13
    probes: 71760
    failures: 14
    downtime: 23.0
    unseen: 0.0
    summary:
      - "14 of 71,760 probes of 13 addresses failed: down for 23 s in all"
      - "wallet-service: 14 of 5,520 probes failed, 09:31:02-09:31:24 (status 500)"
"""

import typing as t

from ..module_utils._availability.claims import ROLLBACK, availability_of
from ..module_utils._availability.plan import as_json
from ..module_utils._availability.task import Order, conclude, measure
from ..module_utils._http import REQUESTS
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import (
    Module,
    documented,
    emit_progress,
    execute,
    in_controller,
    refuse_below,
)
from ..module_utils._run_process import current_run
from ..module_utils._story.view import ReleaseView

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES, REQUESTS))


def run(module: Module) -> dict[str, t.Any]:
    refuse_below(module.params, fence=0)
    order, cluster = Order.from_params(module.params), cluster_for(module)
    if module.params["state"] == "started":
        here = current_run() if in_controller(module) else None
        outcome = measure(cluster, order, here, check_mode=module.check_mode)
    else:
        outcome = conclude(cluster, order, check_mode=module.check_mode)
    if outcome.warning:
        module.warn(outcome.warning)
    elif outcome.changed:
        emit_progress(module, "Availability", outcome.sentence, {"release": order.release})
    facts = outcome.measured.to_json() if outcome.measured else {}
    result = {
        "changed": outcome.changed,
        "sentence": outcome.sentence,
        "availability": as_json(availability_of(facts)),
    }
    if module.params["read_release"]:
        read = ReleaseView(cluster, order.release).to_result(evidence=order.subject == ROLLBACK)
        result |= {**read, "changed": outcome.changed}
    starts = module.params["state"] == "started"
    before = "No probe runs." if starts else "Public addresses are asked."
    asks = before if outcome.changed else outcome.sentence
    diff = {"before": {"asks": asks}, "after": {"asks": outcome.sentence}}
    return {**result, "diff": diff}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
