#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_flags
short_description: Prove which feature flags pods run
version_added: 0.3.0
description:
  - Asks every pod of a Deployment which flags it runs, all at once. What a ConfigMap says is no proof, for a running
    container keeps the environment that it started with, and what is in a volume must still be read.
  - With O(wait_timeout) it waits until all follow what a mounted ConfigMap says. It has the kubelet look at the
    volumes at once, by the annotation C(easymo.com/flags-synced-at) of the pods that are behind.
  - With O(replace) it ends pods that have started with older flags than the ConfigMap's, which their kubelet did not
    know yet. Without both it changes nothing.
  - Pods that are ending are left out. A container that does not run counts as a difference, and so does a pod that
    cannot be asked.
  - C(easymo.deploy.pod_environment) is its former name, and O(flags) was called O(environment).
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._flags.probe
  - easymo.deploy._libraries.jmespath
options:
  name:
    description: The Deployment.
    type: str
    required: true
  container:
    description: The container. The Deployment's name when not given.
    type: str
  flags:
    description: The expected values by name, as in O(easymo.deploy.feature_flags#module:flags).
    type: dict
    required: true
    aliases: [environment]
  config_map:
    description:
      - The ConfigMap that has the flags as O(flags) says.
      - With it, a pod is neither waited for nor ended whose flags somebody else has changed there since, for it would
        only read those. Such a pod fails the task, which says so.
      - Counts only with O(wait_timeout).
    type: str
    default: ""
    version_added: 0.3.0
  wait_timeout:
    description:
      - Seconds for pods to follow a mounted ConfigMap, or for O(replace). V(0) asks once.
      - An environment never changes, so this needs another O(probe), or O(replace).
    type: int
    default: 0
  replace:
    description:
      - Whether to end pods that run with other flags, so that each makes place for one that reads the ConfigMap anew.
        One at a time, when those before it are replaced, from 10 seconds after the beginning of the task on, and only
        as long as those that took their places have the flags.
      - For pods that have their flags from the environment. A restart does not help all of them, for a kubelet may
        learn of a change of a ConfigMap after it has started a pod with it.
      - Counts only with O(wait_timeout).
    type: bool
    default: false
    version_added: 0.3.0
  moved:
    description:
      - Whether the flags were written just now. A pod that has them at the first look must then keep them for 15
        seconds, for what was written before may still be on its way to its process.
      - Counts only with O(wait_timeout).
    type: bool
    default: false
    version_added: 0.3.0
notes:
  - C(env), a command or files need C(create) on C(pods/exec), an endpoint C(get) on C(pods/proxy), and hurrying the
    kubelet C(patch) on C(pods). Without the last it takes the kubelet's own 60 to 90 seconds. O(replace) needs
    C(delete) on C(pods).
seealso:
  - module: easymo.deploy.feature_flags
"""

EXAMPLES = r"""
- name: See that every pod was started with the new checkout on for one percent
  easymo.deploy.pod_flags:
    name: checkout
    namespace: shop-prod
    flags:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1

- name: Wait until every pod has taken up the percentage from its volume
  easymo.deploy.pod_flags:
    name: checkout
    namespace: shop-prod
    flags:
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 5
    probe:
      http: {port: 8080, path: /flags}
      values: flags
    wait_timeout: 120
"""

RETURN = r"""
pods:
  description:
    - One entry for each pod that was asked, with what it runs of the expected flags as C(seen), null for one that it
      does not tell. C(problems) tells in words what differs, and C(at) how many seconds after the beginning of the task
      it was first seen so.
  returned: success, or when values differ
  type: list
  elements: dict
  sample: [{pod: checkout-6b664b4c8d-fq9zg, seen: {FEATURE_CHECKOUT: "true"}, problems: [], at: 1.31}]
replaced:
  description: The pods that were ended.
  returned: success, or when values differ
  type: list
  elements: str
  sample: []
reached_after:
  description: Seconds from the beginning of the task until the last pod was seen to run the flags.
  returned: success
  type: float
  sample: 1.31
reason: {description: One word for why the task failed., returned: failure, type: str, sample: VerificationFailed}
"""

import typing as t
from dataclasses import replace

from ..module_utils._cluster import MonotonicClock
from ..module_utils._errors import ConflictError, InputError, VerificationError
from ..module_utils._flags.apply import Written
from ..module_utils._flags.pods import (
    ENVIRONMENT,
    REACHED,
    STALE,
    VOLUME,
    Asker,
    PodState,
    to_probe,
)
from ..module_utils._flags.proof import SETTLE, FlagsProof, Prover, latest
from ..module_utils._flags.values import to_values
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, emit_progress, execute, refuse_below
from ..module_utils._rollout.observer import observe_deployment
from ..module_utils._templates import JMESPATH
from ..module_utils._time import now as wall_clock

NEEDS = (KUBERNETES, JMESPATH)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params, clock = module.params, MonotonicClock()
    refuse_below(params, wait_timeout=0)
    name, container = params["name"], params["container"] or params["name"]
    patience = params["wait_timeout"]
    replaces = bool(patience and params["replace"])
    probe = to_probe(VOLUME if patience and not replaces else ENVIRONMENT, params["probe"])
    values = to_values(params["flags"], {})
    expected = {key: value for key, value in values.items() if value is not None}
    cluster = cluster_for(module)
    deployment = observe_deployment(cluster, name)
    if container not in deployment.images:
        raise InputError(
            f"Deployment {name!r} has no container {container!r}: it has "
            f"{', '.join(map(repr, deployment.images))}. Set 'container' to one of them."
        )
    written = Written(cluster, params["config_map"], expected, clock)
    prover = Prover(
        cluster,
        deployment,
        container,
        Asker(expected, clock=clock, wall=wall_clock, probe=probe),
        written,
        clock=clock,
        report=lambda text: emit_progress(
            module, "FlagsProgress", f"{name}: {text}", {"deployment": name}
        ),
    )
    before = prover.look()
    proof = FlagsProof(before)
    behind = any(pod.state == STALE for pod in before)
    if patience and behind and module.check_mode:
        after = [replace(pod, values=expected) if pod.state == STALE else pod for pod in before]
        return {"changed": True, **to_result(proof), **to_diff(module, before, after)}
    reached = all(pod.state == REACHED for pod in before)
    settle = SETTLE if params["moved"] and not module.check_mode else 0.0
    if replaces and not (reached or module.check_mode):
        proof = prover.replace(patience)
    elif patience and not replaces and (settle or not reached):
        proof = prover.follow(patience, settle)
    if proof.note:
        module.warn(proof.note)
    check(name, proof, patience, replaces=replaces, written=written)
    if probe.weakness:
        module.warn(probe.weakness)
    return {
        "changed": bool(proof.replaced or (patience and behind)),
        **to_result(proof),
        **to_diff(module, before, proof.pods),
    }


def check(name: str, proof: FlagsProof, patience: int, *, replaces: bool, written: Written) -> None:
    details, pods = to_result(proof), proof.pods
    if not pods:
        raise VerificationError(
            f"Deployment {name!r} has no pods, so nothing runs with these flags.", **details
        )
    wrong = [f"in pod {pod.pod} {pod.detail}" for pod in pods if pod.state != REACHED]
    if not wrong:
        return
    pods_run = (
        f"{len(wrong)} of {len(pods)} pods of {name!r} run with other flags: {', '.join(wrong)}."
    )
    changed = written.changed()
    if changed:
        raise ConflictError(
            f"{pods_run} Somebody else has changed {', '.join(changed)} in the ConfigMap since it was written: find "
            "out who does the opposite, and run the same command again if you still want this.",
            **details,
        )
    cure = "Restart them if the ConfigMap is right."
    if proof.replaced:
        cure = (
            f"In place of {', '.join(proof.replaced)} others were started since: do they read this ConfigMap, or has "
            "somebody changed it?"
        )
    elif patience and not replaces:
        cure = (
            f"They had {patience} s to follow the mounted ConfigMap: does each mount it as a folder, and read it "
            "again?"
        )
    raise VerificationError(f"{pods_run} {cure}", **details)


def to_result(proof: FlagsProof) -> dict[str, t.Any]:
    after = latest(proof.pods)
    return {
        "pods": [
            {
                "pod": pod.pod,
                "seen": dict(pod.values),
                "problems": [] if pod.state == REACHED else [pod.detail],
                "at": round(pod.at, 2),
            }
            for pod in proof.pods
        ],
        "replaced": [*proof.replaced],
        "reached_after": None if after is None else round(after, 2),
    }


def to_diff(
    module: Module, before: t.Sequence[PodState], after: t.Sequence[PodState]
) -> dict[str, t.Any]:
    """What each pod runs."""
    if not module._diff:
        return {}
    first, last = ({pod.pod: dict(pod.values) for pod in pods} for pods in (before, after))
    return {"diff": {"before": first, "after": last}}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
