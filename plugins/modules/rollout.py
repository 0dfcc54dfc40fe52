#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll one Deployment to an image, restart it, return it exactly, stop several, or see where they stand
version_added: 0.1.0
description:
  - Looks at one Deployment, writes one patch when something is to change, and follows the rollout until it is complete,
    failing or out of time. Complete means what the Deployment controller means by it, not just an accepted patch.
  - A failing rollout is called as soon as its pods show why, for example an image that is not in the registry, a crash
    loop or a missing key of a ConfigMap. Trouble that passes by itself, like a registry that hiccups, is waited out.
  - The evidence is taken first, in RV(diagnosis). Then the Deployment is returned to the template that
    M(easymo.deploy.release) pinned before the release, or, without a release record, to the one that this task
    replaced. Never to "the previous revision".
  - Never overwrites and never undoes what somebody else wrote in between. Replicas, and a HorizontalPodAutoscaler that
    sets them, are left alone.
  - An API server that stumbles, throttles or is away is asked again until O(wait_timeout) is over, and a token that
    expires is read anew from the kubeconfig. Loss of sight never counts as success and never undoes.
  - A run that was killed is taken up by the next one with the same O(release) and O(image).
  - With O(state=stopped) each of O(deployments) is scaled to 0 and remembers its count in the annotation
    C(easymo.com/replicas-before). Count and memory are one write, so no count is lost when the run
    is killed at any moment. Ends when no pod is left, those that are still ending included.
  - With O(state=running) the remembered count is set and the memory taken away, again in one write. Ends when all pods
    are available. A Deployment without the memory keeps its count, for this module did not stop it.
  - A Deployment that had no replicas remembers 0, and has 0 afterwards. One that is stopped already keeps its memory.
  - When somebody scales a stopped Deployment, what it remembers counts all the same. A warning says so.
  - A HorizontalPodAutoscaler does nothing while its Deployment has 0 replicas, by Kubernetes' own rule, and goes on
    when it has its count again.
  - A write of a count is bound to what was seen. It is made anew, up to five times, when somebody else wrote in
    between.
  - With O(state=read) it reads where Deployments stand, in one request however many there are.
  - On a host with a local connection it runs in the controller and shows one line per change of counts.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._rollout
  - easymo.deploy._rollout.followed
  - easymo.deploy._rollout.proven
attributes:
  idempotent:
    support: partial
    details: O(state=restarted) without O(checksum) restarts every time.
notes:
  - Needs the verbs C(get), C(list), C(watch) and C(patch) on C(deployments) and C(list) on C(replicasets) of the API
    group C(apps), C(list), C(watch) and C(delete) on C(pods), C(get) on C(pods/log), C(list) on C(events), and C(get)
    on C(configmaps). Without C(watch) it asks more often; without C(delete) it does not replace pods.
  - With O(deployments) it needs C(list), C(get) and C(patch) on C(deployments), and C(list) on C(pods).
seealso:
  - module: easymo.deploy.preflight_check
"""

EXAMPLES = r"""
- name: Release a service of a recorded release, hear its start-up line and watch it for half a minute
  easymo.deploy.rollout:
    name: checkout
    namespace: shop-prod
    image: shop/checkout:v2.0.0
    release: 2.0.0
    log_line: Checkout v2.0.0 started successfully
    soak: 30

- name: Restart the pods once for these flags
  easymo.deploy.rollout:
    name: checkout
    namespace: shop-prod
    state: restarted
    checksum: "{{ flags.checksum }}"

- name: Return to what ran before the release
  easymo.deploy.rollout:
    name: wallet-service
    namespace: shop-prod
    state: rolled_back
    release: 2.0.0

- name: Stop all writers of the databases
  easymo.deploy.rollout:
    namespace: shop-prod
    deployments: "{{ groups.microservices }}"
    state: stopped

- name: Start the services with their previous pod counts
  easymo.deploy.rollout:
    namespace: shop-prod
    deployments: "{{ groups.microservices }}"
    state: running
    wait_timeout: 600

- name: See where every Deployment stands
  easymo.deploy.rollout:
    namespace: shop-prod
    state: read
  register: rollouts

- name: Insist that all are complete, with every pod ready
  ansible.builtin.assert:
    that: rollouts.deployments | rejectattr('complete') | length == 0
"""

RETURN = r"""
result:
  description:
    - How it ended. Each word has one meaning, and RV(hint) says what to do about it.
    - V(succeeded) and V(no_change) do not fail the task, nor does V(rolled_back) when O(state=rolled_back).
    - V(rolled_back) fails it when a failing rollout was undone. The Deployment serves as before.
    - V(rollback_failed) means that undoing failed too, and a human is needed now.
    - V(failed_no_undo) means that it failed and stands as the failure left it.
    - V(superseded) means that somebody else changed its template meanwhile, and was not overwritten. A restart does
      not count, for it changes an annotation alone.
    - V(blocked) means that nothing was written, because it has no replicas, or deployments are frozen.
    - V(lease_lost) means that somebody else holds the deploy lock by now, and the message says who. Nothing was
      written since, and nothing undone.
    - V(paused) means that the Deployment is paused, V(deleted) that it went, V(rejected) that the server refused the
      change, and V(controller_silent) that no controller took notice of it.
    - V(indeterminate) means that the API server was out of sight to the end. Run the task again.
    - C(changed) tells whether this run wrote. With V(no_change), V(blocked) and V(rejected) it never did, with
      V(rolled_back) it always did.
  returned: always, but for bad input, with O(deployments) and with O(state=read)
  type: str
  sample: succeeded
hint:
  description: What to do about RV(result), empty when nothing is to be done.
  returned: when the Deployment was seen
  type: str
  sample: "Run the same task again: it continues."
before:
  description: The image of O(container) and the Deployment's revision before.
  returned: when the Deployment was seen
  type: dict
  sample: {image: "shop/wallet-service:v1.9.0", revision: "7"}
after:
  description: The same after. In check mode the revision of a change is empty.
  returned: when the Deployment was seen
  type: dict
  sample: {image: "shop/wallet-service:v2.0.0", revision: "8"}
replicas:
  description:
    - Pods at the end. C(old) counts those of older revisions, of which C(terminating) ones are ending. They run the old
      code until they are gone. C(old) is null when they could not be counted.
  returned: when the Deployment was seen
  type: dict
  sample: {desired: 3, updated: 3, ready: 3, available: 3, terminating: 1, old: 1}
taken_away:
  description:
    - With O(state=rolled_back), the fields of the template that the return changes and the release did not write, with
      what they are and what they become. Values of environment variables are not shown.
    - In check mode it tells so beforehand, and so does the diff.
  returned: when the Deployment was seen
  type: list
  elements: dict
  sample:
    - field: spec.containers[wallet-service].lifecycle
      now: '{"preStop": {"sleep": {"seconds": 3}}}'
      then: absent
fenced:
  description:
    - Whether the fence was written on it and nothing else, which with O(state=rolled_back) keeps a run that lost the
      lock from releasing over what stands at its pin. Nothing restarts, and it is no change.
  returned: when the Deployment was seen
  type: bool
duration:
  description: Seconds from the first look to the last.
  returned: when the Deployment was seen
  type: float
  sample: 12.4
diagnosis:
  description:
    - Empty, or why it failed, as seen before anything was undone. C(reason) is one word, C(cause) one sentence, and
      C(hint) what to do about it.
    - C(image) is that of O(container), and C(image_digests) what nodes resolved it to. C(containers) has image,
      resources and probes of each container of the pod template, C(conditions) those of the Deployment,
      C(replica_set) name and conditions of the new ReplicaSet, and C(pods) the new pods with their containers' states.
    - C(logs) has the last log lines of the pods that fare worst, by pod and container, with what looks like a secret
      blanked. A restarted container's run before has a key of its own, which ends in C(previous).
    - C(events) are the last of the Deployment, the new ReplicaSet and its pods, newest first. Of the Deployment only
      those since this collection wrote it last. C(missing) is evidence that could not be read, and why.
  returned: when the Deployment was seen
  type: dict
  sample:
    reason: ImageNotFound
    cause: its image shop/wallet-service:v2.0.0 is not in the registry (manifest unknown)
    hint: Push the image, or correct its tag.
    image: shop/wallet-service:v2.0.0
deployments:
  description:
    - One entry for each of O(deployments), with its C(name). When it was stopped or started it has the replicas
      C(before) and C(after), and what it has C(remembered).
    - With O(state=read) it has the C(images) by container, and the C(revision) of the current template. It is
      C(complete) when the last change was observed and every pod is updated and available.
    - C(release) is the one that this module last wrote on it, empty if none, and C(change_cause) why it was last
      changed, as far as somebody noted it.
  returned: success with O(deployments) or O(state=read)
  type: list
  elements: dict
  sample:
    - name: wallet-service
      images: {wallet-service: "shop/wallet-service:v2.0.0"}
      complete: true
      release: 2.0.0
      replicas: {desired: 3, updated: 3, ready: 3, available: 3}
"""

from ..module_utils._cluster import MonotonicClock
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import lease_check_for
from ..module_utils._module import Module, Result, documented, emit_progress, execute, refuse_below
from ..module_utils._rollout.observer import observe_standings
from ..module_utils._rollout.scale import Scaling
from ..module_utils._waves.wave import roll_one

SCALES = ("stopped", "running")

module_spec = documented(
    DOCUMENTATION,
    needs=(KUBERNETES,),
    required_if=[
        ("state", "released", ["name", "image"]),
        ("state", "restarted", ["name"]),
        ("state", "rolled_back", ["name", "release"]),
        *(("state", state, ["deployments"]) for state in SCALES),
    ],
)


def run(module: Module) -> Result:
    state = module.params["state"]
    if state == "read":
        standings = observe_standings(cluster_for(module), module.params["deployments"])
        return {"changed": False, "deployments": standings}
    return scale(module) if state in SCALES else roll_one(module)


def scale(module: Module) -> Result:
    params = module.params
    refuse_below(params, wait_timeout=1)
    clock = MonotonicClock()
    deadline = clock.now() + params["wait_timeout"]
    cluster = cluster_for(module).until(deadline)
    scaling = Scaling(
        cluster,
        clock=clock,
        deadline=deadline,
        state=params["state"],
        report=lambda text: emit_progress(
            module, "ScaleProgress", text, {"state": params["state"]}
        ),
    )
    scaling.plan(params["deployments"])
    if scaling.overruled:
        module.warn(
            f"Somebody scaled {', '.join(scaling.overruled)} while stopped: the stored count applies."
        )
    if module.check_mode:
        scaling.predict()
    else:
        lease_check_for(cluster, params["fence"], clock=clock, name=params["lock"]).check()
        scaling.carry_out()
    return {**scaling.to_result(), "diff": scaling.to_diff()}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
