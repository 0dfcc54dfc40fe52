#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
short_description: Let one run at a time change a namespace
version_added: 0.2.0
description:
  - The lock is a Lease. Its C(leaseTransitions) grow whenever it changes hands; that is the RV(fence) by which a run
    proves that it still holds the lock.
  - It belongs to one run of ansible-playbook. Each later task of the run that asks for it again renews it. Another run,
    of the same person too, is refused and told who holds it, since when, and how to wait.
  - On a host with a local connection it runs in the controller, and a keeper stays behind that renews the lock three
    times each O(duration), so that a task may take as long as it wants. When ansible-playbook ends, however it ends,
    the keeper gives the lock back. On a remote host nothing does either, so that O(duration) must outlast the longest
    pause between two tasks that ask for the lock.
  - A lock whose run is dead on this machine is taken over at once. A lock without renewals is taken over after it was
    seen unchanged for its whole duration, measured here. No other machine's clock is trusted.
  - O(state=read) only tells who deploys, and whether deployments are frozen. It never waits and never fails for either.
  - A lock set with O(manual=true) is for people. It belongs to no run, never lapses, and stops every run until it
    is freed, those of the person who set it too.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock
options:
  name:
    description: The Lease.
    type: str
    default: easymo-deploy
  state:
    description:
      - V(held) takes the lock, or renews it when this run has it already, which is no change.
      - V(free) gives it back when it is this run's, or left by a dead run of O(holder). Another's lock stays as it is.
      - One that O(holder) set by hand is freed with O(manual=true) only.
      - V(read) leaves it as it is.
    type: str
    choices: [held, free, read]
    default: held
  holder:
    description: Who holds it. The user and name of this machine when not given.
    type: str
  release:
    description: What is deployed, for others to read.
    type: str
  purpose:
    description:
      - V(undo) takes the lock over from a deployment without waiting, and that deployment stops at its next write. It
        also works during a freeze, and while the lock is set by hand, which it leaves so. It waits for another undo.
    type: str
    choices: [deploy, undo]
    default: deploy
  duration:
    description: Seconds after which a lock without renewals may be taken over.
    type: int
    default: 120
  fence:
    description:
      - The RV(fence) of this run's earlier task. The task fails with V(LeaseLost) unless the run has held the lock ever
        since, even if it is free again.
    type: int
    default: 0
  manual:
    description: Whether the lock is set by hand, and freed by hand. Setting it needs O(reason).
    type: bool
    default: false
notes:
  - Needs the verbs C(get), C(create) and C(update) on C(leases) of C(coordination.k8s.io), C(get) and C(list) on
    C(configmaps) and C(list) on C(deployments) of C(apps). With O(state=read), those that read.
  - Deployments are frozen while there is a ConfigMap C(deploy-freeze). Its keys C(reason), C(by) and C(until) are shown
    in the refusal, and it holds no longer than C(until), if that is a time as in V(2026-11-24T18:00:00Z).
seealso:
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Deploy alone
  easymo.deploy.deploy_lock:
    namespace: shop-prod
    release: 2.0.0
  register: lock

- name: Make sure that the lock is still ours, and renew it
  easymo.deploy.deploy_lock:
    namespace: shop-prod
    release: 2.0.0
    fence: "{{ lock.fence }}"

- name: Keep everybody from deploying while the data centre moves
  easymo.deploy.deploy_lock:
    namespace: shop-prod
    manual: true
    reason: The data centre moves
    ticket: OPS-1207

- name: Let them deploy again
  easymo.deploy.deploy_lock:
    namespace: shop-prod
    manual: true # not for the lock of the run itself
    state: free

- name: See who is deploying
  easymo.deploy.deploy_lock:
    namespace: shop-prod
    state: read
  register: lock
"""

RETURN = r"""
lock:
  description: The lock after, or as it would be. Its texts are empty while it is free.
  returned: success, and when another holds it
  type: dict
  sample:
    held: true
    holder: jane@build-1
    release: 2.0.0
    purpose: deploy
    reason: ""
    manual: false
    since: "2026-11-24T09:00:00.000000Z"
    until: "2026-11-24T09:05:20.000000Z"
    fence: 7
    stolen_from: "" # who held it until this run took it over
fence:
  description: The epoch of the lock. Give it to what writes under the lock.
  returned: success, but for O(state=read)
  type: int
  sample: 7
sentence:
  description: Lock and freeze in words.
  returned: with O(state=read)
  type: str
  sample: >-
    jane@build-1 (pid 4711) holds 'easymo-deploy' to deploy 2.0.0 since 2026-11-24 09:00:00 UTC, until
    2026-11-24 09:05:20 UTC unless renewed.
freeze:
  description: Who froze deployments, why and until when.
  returned: when deployments are frozen, and with O(state=read), empty if they are not
  type: dict
  sample: {name: deploy-freeze, reason: Black Friday, by: ann, until: "2026-11-28T06:00:00Z"}
reason:
  description: One word for why the task failed, V(Locked), V(LeaseLost) and V(Frozen) among them.
  returned: failure
  type: str
  sample: Locked
"""

import typing as t

from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.plan import locked
from ..module_utils._lock.task import claim_of, dismiss, locking_of, take
from ..module_utils._module import Module, documented, execute, in_controller, refuse_below
from ..module_utils._run_process import current_run

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES,))


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, duration=1, wait=0, fence=0)
    claim = claim_of(params, current_run() if in_controller(module) else None)
    locking = locking_of(module, cluster_for(module), params["name"], claim)
    if params["state"] == "read":
        return locking.describe()
    if params["state"] == "held":
        how = {option: params[option] for option in ("wait", "fence", "force")}
        change = take(module, locking, claim, **how)
    else:
        change = locking.free(force=params["force"], check_mode=module.check_mode)
        if change.changed and not module.check_mode:
            dismiss(change.before)
        if claim.manual and change.after.holder:
            module.warn(f"It is not given back. {locked(change.after)}")
    return {**change.to_result(), "diff": change.to_diff()}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
