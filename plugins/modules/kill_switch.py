#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kill_switch
short_description: Switch a feature off everywhere and prove it in every pod
version_added: 0.2.0
description:
  - Writes the values that switch the feature off and the switch itself, an annotation beside them, in one request. Then
    restarts what reads them, all consumers at once, or has the volumes of running pods brought up to date
    (O(delivery)), and asks every pod what it runs with.
  - Asks for no lock and no freeze, and lets nothing that rolls out stop it. A rollout of somebody else that is in
    flight is overtaken, and tells so.
  - The switch sticks. While it is set, no task of this collection turns on what it holds off. It is reset by name and
    reason only, and the flags stay off then until somebody turns them on.
  - Where a rollout cannot replace the old pods, because the new ones do not start or the Deployment is paused, the old
    ones that still run the feature are ended one by one, each when the replacement of the one before is ready. Their
    own ReplicaSet makes new ones, which read the flags anew.
  - Pods whose volumes do not bring the flags in two thirds of O(wait_timeout) are ended one by one too.
  - A pod that cannot be asked never counts as off. The task fails with its name, after everything else was done.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.flags_and_kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._flags.probe
  - easymo.deploy._flags.consumers
  - easymo.deploy._libraries.jmespath
options:
  state:
    description:
      - V(set) switches the feature off. Setting it again checks every pod again and leaves the first reason.
      - V(lowered) lowers O(percentage_flag) to O(percentage) and sets no switch. It never raises it.
      - V(reset) takes the switch away. The flags stay as they are, and nothing restarts.
    type: str
    choices: [set, lowered, reset]
    default: set
  reason:
    description:
      - Why, shown to everybody whose run the switch stops later.
      - What looks like a secret in it is blanked out, for nothing may hinder the switch. Elsewhere it is refused.
    type: str
    required: true
  by:
    description: Who does it. The user and name of this machine when not given.
    type: str
  automatic:
    description:
      - Whether no person decides this, but a failed phase or a rollback. An explicit deployment may turn the feature on
        again then, by O(easymo.deploy.feature_flags#module:kill_switch), unless it held the deploy lock
        (C(easymo-deploy)) already when this was set, for that is the one to be stopped. The lock is looked at for that,
        and what cannot be told of it stops nothing.
      - One that a person set stays a person's.
    type: bool
    default: false
  flags:
    description: The values that switch the feature off, which the switch then holds. Required for V(set).
    type: dict
    default: {}
  percentage:
    description: The percentage to lower to, 0 to 100.
    type: int
  percentage_flag:
    description: The flag that V(lowered) lowers. Required for that.
    type: str
  release:
    description:
      - The release whose record gets a note of it, if it has a record. What cannot be noted is a warning.
    type: str
  wait_timeout:
    description: Seconds until every pod must be proven. Two thirds of them are for the rollout, or for the volumes.
    default: 180
notes:
  - Needs the verbs C(get) and C(patch) on C(configmaps) and C(deployments), C(list) and C(watch) on C(pods) and
    C(replicasets), C(create) on C(pods/exec), and C(delete) on C(pods) for what a rollout does not replace. With
    O(delivery=volume) C(patch) on C(pods), without which the kubelet is not told to hurry. With O(automatic) C(get) on
    C(leases) of C(coordination.k8s.io), without which the lock is not looked at.
"""

EXAMPLES = r"""
- name: Switch the new checkout off
  easymo.deploy.kill_switch:
    namespace: shop-prod
    reason: error rate above five percent
    flags: {FEATURE_CHECKOUT: false, FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 0}
    consumers: [checkout]

- name: Lower the rollout to one percent
  easymo.deploy.kill_switch:
    namespace: shop-prod
    state: lowered
    percentage: 1
    percentage_flag: FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE
    reason: p95 above two seconds
    consumers: [checkout]

- name: Allow the feature to be turned on again
  easymo.deploy.kill_switch:
    namespace: shop-prod
    state: reset
    reason: fixed by 2.0.1
    by: ann
"""

RETURN = r"""
kill_switch:
  description: The switch after, empty when it is not set.
  returned: success, or when a pod is not proven
  type: dict
  sample:
    set_at: "2026-11-24T09:00:00Z"
    by: ann@build-1
    reason: error rate above five percent
    automatic: false
    flags: {FEATURE_CHECKOUT: "false", FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: "0"}
sentence:
  description: Where it stands, in words, and after how many seconds every pod was seen to run it.
  returned: success, or when a pod is not proven
  type: str
  sample: >-
    ann@build-1 set the kill switch at 2026-11-24 09:00:00 UTC, because: error rate above five percent. It holds
    FEATURE_CHECKOUT=false. Every pod ran it 1.4 s after the command began.
consumers:
  description:
    - What was seen in each consumer. It is C(reached) when no pod of it runs anything else, and C(restarted) when its
      pod template was written. C(replaced) are pods that were ended one by one. C(problem) says why a rollout did not
      succeed, or why it could not be looked at, and C(note) what else is worth knowing.
    - Each of its C(pods) has a C(state), V(reached), V(stale), V(unknown), V(idle) for one that runs nothing yet, or
      V(ending), what it runs with, and the second at which it was seen so.
  returned: success, or when a pod is not proven
  type: list
  elements: dict
  sample:
    - name: checkout
      reached: true
      restarted: true
      pods: [{pod: checkout-6b664b4c8d-fq9zg, state: reached, seen: {FEATURE_CHECKOUT: "false"}, at: 7.31}]
reached_after:
  description:
    - Seconds from the beginning of the task until the last pod was seen to run with the flags. Null while one does not.
  returned: success, or when a pod is not proven
  type: float
  sample: 7.31
"""

import typing as t

from ..module_utils._arguments import read_blanked
from ..module_utils._cluster import Cluster, MonotonicClock
from ..module_utils._errors import DeployError, InputError
from ..module_utils._flags.apply import KillSwitch, to_diff
from ..module_utils._flags.consumer import Consumers, ConsumerState, reached_after
from ..module_utils._flags.values import to_values
from ..module_utils._kill_switch import (
    LOWERED,
    RESET,
    Decide,
    check_reached,
    overruled,
    plan_lowered,
    plan_reset,
    plan_set,
    to_sentence,
    write_switch,
)
from ..module_utils._kubernetes import actor_of, cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._release.plan import RecordChange
from ..module_utils._release.store import ReleaseStore
from ..module_utils._templates import JMESPATH
from ..module_utils._time import utc_now

module_spec = documented(
    DOCUMENTATION,
    needs=(KUBERNETES, JMESPATH),
    required_if=[("state", LOWERED, ["percentage", "percentage_flag"])],
)


def run(module: Module) -> dict[str, t.Any]:
    params, clock = module.params, MonotonicClock()
    refuse_below(params, wait_timeout=1)
    reason, actor = read_blanked(reason=params["reason"], by=params["by"])
    by = actor_of({"actor": actor})
    decide = to_decision(params, by, reason)
    cluster = cluster_for(module)
    reading = Consumers.from_params(module, cluster, "KillSwitchProgress", by)
    plan = write_switch(
        cluster.until(reading.started + params["wait_timeout"]),
        params["name"],
        decide,
        clock=clock,
        check_mode=module.check_mode,
        automatic=params["automatic"],
    )
    wanted = {name: value for name, value in plan.wish.flags.items() if value is not None}
    consumers: list[ConsumerState] = []
    if params["state"] != RESET:
        consumers = (
            reading.look(wanted, plan.checksum)
            if module.check_mode
            else reading.switch(wanted, plan.checksum, moved=plan.moves)
        )
    if module.check_mode:
        restarts = any(not consumer.reached for consumer in consumers)
    else:
        restarts = any(consumer.restarted or consumer.replaced for consumer in consumers)
    switch = KillSwitch.from_annotations(plan.annotations)
    after = reached_after(consumers)
    result: dict[str, t.Any] = {
        "changed": plan.changed or restarts,
        "kill_switch": switch.to_result() if switch else {},
        "sentence": to_sentence(
            params["state"],
            switch,
            wanted,
            by=by,
            reason=reason,
            check_mode=module.check_mode and plan.changed,
            reached_after=None if module.check_mode else after,
            moved=plan.changed or restarts,
        ),
        "consumers": [consumer.to_result() for consumer in consumers],
        "reached_after": after,
        "diff": to_diff(plan),
    }
    if params["release"]:
        note(module, cluster, by, result["sentence"], switch)
    if consumers and reading.probe.weakness:
        module.warn(reading.probe.weakness)
    for consumer in consumers:
        if consumer.reached and (consumer.problem or consumer.note):
            module.warn(
                f"{consumer.name} has the flags in every pod. {consumer.problem} {consumer.note}".strip()
            )
    if not module.check_mode and consumers:
        changed = overruled(cluster, plan)
        check_reached(params["name"], consumers, result, changed)
        if changed:
            module.warn(
                f"Somebody else changed ConfigMap {params['name']!r} after it was written: check {', '.join(changed)}. "
                "Every pod was seen with what was written before that."
            )
    return result


def note(
    module: Module, cluster: Cluster, by: str, sentence: str, switch: KillSwitch | None
) -> None:
    """Tell the release record. An outage of it keeps no feature on."""
    release = module.params["release"]
    facts = (
        {switch.set_at: {"what": "set", "by": switch.by, "reason": switch.reason}} if switch else {}
    )
    try:
        store = ReleaseStore(cluster, release, clock=MonotonicClock())
        if store.read() is None:
            return
        change = RecordChange(
            version=release,
            actor=by,
            now=utc_now(),
            notes=(sentence,),
            facts={"kill_switches": facts} if facts else {},
        )
        store.change(change, check_mode=module.check_mode)
    except DeployError as exc:
        module.warn(f"The release record was not written: {exc}")


def to_decision(params: t.Mapping[str, t.Any], by: str, reason: str) -> Decide:
    """What the options ask for. Raises InputError before anything is touched."""
    state, percentage = params["state"], params["percentage"]
    if percentage is not None and state != LOWERED:
        raise InputError(f"'percentage' has no effect when 'state' is {state!r}: use 'lowered'.")
    if state == RESET:
        return lambda observed, _epoch: plan_reset(observed)
    if state == LOWERED:
        flag = params["percentage_flag"]
        to_values({flag: percentage}, {flag: [0, 100]})
        at = utc_now()
        return lambda observed, _epoch: plan_lowered(observed, flag, percentage, at)
    values = to_values(params["flags"], {})
    flags = {name: value for name, value in values.items() if value is not None}
    if not flags or len(flags) < len(values):
        raise InputError("'flags' must have the value of each flag that is switched off.")
    switch = KillSwitch(
        set_at=utc_now(),
        by=by,
        reason=reason,
        automatic=params["automatic"],
        flags=flags,
    )
    return lambda observed, epoch: plan_set(observed, switch, epoch)


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
