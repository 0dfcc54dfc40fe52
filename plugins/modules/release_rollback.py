#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_rollback
short_description: Return every service of a release to what ran before it
version_added: 0.2.0
description:
  - Returns Deployments to the pod templates that M(easymo.deploy.release) pinned before the release, as
    M(easymo.deploy.rollout) does with O(easymo.deploy.rollout#module:state=rolled_back), wave after wave in the reverse
    of the order that the release record keeps, the members of one wave side by side.
  - Needs nothing but the release record, so any machine that reaches the cluster will do.
  - A service that cannot be returned does not keep the others from returning. The task then fails at its end and says
    which, and why.
  - The pinned template is returned to whole. What another hand changed in it since it was pinned, while it went on
    running the image of the release, goes too. It is named field by field, in check mode and in the diff, and before
    anything is written.
  - Only what the release wrote is undone. What stands at its pin is left as it is, and so is what another hand changed
    meanwhile, which fails the task. With O(fence) both get the fence all the same, so that no run which lost the lock
    releases over them. Nothing restarts for it, and it is no change.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._rollout.followed
options:
  state:
    description:
      - V(returned) returns the Deployments.
      - V(begun) notes in the release record who asks for it and why, before anything goes back, for it may be cut off.
        The same request again, with no deployment in between, is none. V(database) alone in O(parts) is a restore.
      - V(verified) tells of each thing that it must have brought back whether it is verified, failed, or not looked at,
        and keeps that in the record.
      - V(closed) marks in the record what went back.
      - V(restored) tells why databases or services are not back after a restore, or notes in the record that it ended.
    type: str
    choices: [returned, begun, verified, closed, restored]
    default: returned
  phase:
    description: The phase of O(name) that is marked as rolled back when its services returned. None when empty.
    type: str
    default: ""
  parts:
    description:
      - What goes back, by the tags of C(playbooks/rollback.yml). V(all), or some of the others, such as V(services),
        which leave the rest of the release. For V(begun), V(verified) and V(closed).
    type: list
    elements: str
    default: []
  plan:
    description: The names of the phases that the release has. For V(closed).
    type: list
    elements: str
    default: []
  ways_back:
    description: The phases that each part takes back, as lists. Without those of O(phase). For V(closed).
    type: dict
    default: {}
  by:
    description: Who asks for it. For V(begun) and V(restored).
    type: str
    default: ""
  reason:
    description: Why. For V(begun).
    type: str
    default: ""
  ended:
    description:
      - By C(host) of a database what was done there, each with its result. It was C(checked), C(kept) and C(restored),
        and the services C(stopped) and C(started). What was not begun is missing. For V(restored).
    type: list
    elements: dict
    default: []
  tests:
    description:
      - What user flows showed, the result of M(easymo.deploy.smoke_tests). For V(verified) and V(restored).
      - With V(verified), an empty one says that nothing is verified.
    type: dict
    default: {}
  pods:
    description: Whether the feature is off, the result of M(easymo.deploy.feature_flags). For V(verified).
    type: dict
    default: {}
  running:
    description: Whether all pods run, the result of M(easymo.deploy.health_check). Empty when that was not looked at.
    type: dict
    default: {}
  returned:
    description: The same about the services that returned.
    type: dict
    default: {}
  left_out:
    description: What is not as before the release, RV(left_out). The rollback then stays open. For V(closed).
    type: str
    default: ""
  name:
    description: The version to go back from, for example V(2.0.0).
    type: str
    required: true
  deployments:
    description: Return only these. All that are pinned when empty.
    type: list
    elements: str
    default: []
  first:
    description: Deployments that return before all others, each alone and in this order.
    type: list
    elements: str
    default: []
notes:
  - Going back is allowed while deployments are frozen, and while the lock cannot be looked at.
  - The order stands in the fact C(waves) of the release record, a list of lists of Deployments in the order of the
    release. What stands in none returns last.
  - Needs the same verbs as M(easymo.deploy.rollout).
"""

EXAMPLES = r"""
- name: Return all services, checkout before the others
  easymo.deploy.release_rollback:
    name: 2.0.0
    namespace: shop-prod
    first: [checkout]
"""

RETURN = r"""
services:
  description:
    - How the rollback of each Deployment ended, by its name, in the order in which they returned.
    - C(taken_away) lists what going back takes from its template that the release did not write, as
      RV(easymo.deploy.rollout#module:taken_away). In check mode it tells so beforehand.
    - C(fenced) tells whether the fence was written on it and nothing else.
  returned: with O(state=returned), but for bad input
  type: dict
  sample:
    wallet-service: {result: rolled_back, changed: true, message: "", taken_away: [], fenced: false}
failed_services:
  description: Those that did not return.
  returned: with O(state=returned), but for bad input
  type: list
  elements: str
verified:
  description: A row for each thing that must have come back, with its C(name), C(status) and C(detail).
  returned: with O(state=verified)
  type: list
  elements: dict
  sample: [{name: Every pod runs, status: verified, detail: 38 pods ready}]
left_out:
  description: What is not as before the release, and what to do about it, in a sentence. Empty when all is.
  returned: with O(state=verified)
  type: str
causes:
  description: Why databases or services are not back.
  returned: with O(state=restored)
  type: list
  elements: str
sentence:
  description: The same in a few words. With O(state=restored) why it failed, and what to do.
  returned: with O(state=verified) and O(state=restored)
  type: str
  sample: "Verified: 7 of 7 looked at"
"""


from ..module_utils._cluster import Cluster, MonotonicClock
from ..module_utils._errors import InputError
from ..module_utils._kubernetes import actor_of, cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import WriteCheck, lease_check_for
from ..module_utils._module import Module, Result, documented, execute, refuse_below
from ..module_utils._release.pins import Pins
from ..module_utils._rollback import RollbackRecord
from ..module_utils._rollout.changes import Taken, describe_changes
from ..module_utils._rollout.plan import RolloutRequest
from ..module_utils._rollout.runner import Rollout
from ..module_utils._time import utc_now
from ..module_utils._waves.rollback import (
    NotReturnedError,
    describe_return,
    plan_waves,
    return_all,
    to_service,
)
from ..module_utils._waves.wave import emit_counts

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES,))


def run(module: Module) -> Result:
    params = module.params
    refuse_below(params, wait_timeout=1, fence=0)
    if not params["name"]:
        raise InputError("'name' is empty: set the release to roll back.")
    if params["state"] == "returned":
        return return_services(module)
    record = RollbackRecord(module, cluster_for(module))
    act = {
        "begun": record.begin,
        "verified": record.verify,
        "closed": record.close,
        "restored": record.end_restore,
    }
    return {**act[params["state"]](), "document": record.document}


def return_services(module: Module) -> Result:
    params, clock = module.params, MonotonicClock()
    cluster = cluster_for(module).until(clock.now() + params["wait_timeout"])
    pins, waves = plan_waves(cluster, params, clock)
    guard = lease_check_for(cluster, params["fence"], clock=clock, name=params["lock"])
    returned = return_all(waves, lambda name: return_deployment(module, cluster, pins, guard, name))
    for name, outcome in returned.items():
        if takes := [Taken(**change) for change in outcome["taken_away"]]:
            module.warn(f"{name}: {describe_changes(takes)}")
    services = {name: to_service(outcome) for name, outcome in returned.items()}
    failed = [name for name, service in services.items() if service["message"]]
    result: Result = {
        "changed": any(service["changed"] for service in services.values()),
        "services": services,
        "waves": waves,
        "failed_services": failed,
        "summary": describe_return(services, params["name"]),
    }
    if module._diff:
        result["diff"] = [
            {"before_header": name, "after_header": name, **outcome["diff"]}
            for name, outcome in returned.items()
            if outcome.get("changed") and outcome.get("diff")
        ]
    if params["phase"] and (result["changed"] or failed):
        record = RollbackRecord(module, cluster_for(module))
        record.returned(services, partly=bool(params["deployments"] or failed))
        result["document"] = record.document
    if failed:
        raise NotReturnedError(str(result["summary"]), **result)
    return result


def return_deployment(
    module: Module, cluster: Cluster, pins: Pins, guard: WriteCheck, name: str
) -> Result:
    """Return one Deployment to its pin and follow it to its end, on any thread."""
    params, images = module.params, pins.deployments[name]["images"]
    rollout = Rollout(
        cluster,
        name,
        RolloutRequest(
            state="rolled_back",
            container=name if name in images else next(iter(images)),
            release=params["name"],
            actor=actor_of(params),
            at=utc_now(),
            fence=params["fence"],
            wait_timeout=params["wait_timeout"],
            undo_on_failure=False,
            quorum=params["quorum"],
        ),
        pins.deployment(name),
        clock=MonotonicClock(),
        report=lambda text, counts: emit_counts(module, name, text, counts),
        guard=guard,
    )
    plan = rollout.plan()
    result = rollout.predict(plan) if module.check_mode else rollout.carry_out(plan)
    return {**result, "diff": plan.to_diff()}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
