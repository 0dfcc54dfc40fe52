# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION: str = r"""
options:
  name:
    description: The Deployment. Needed but with O(deployments) and O(state=read).
    type: str
  container:
    description:
      - The container whose image is released. The one that is called as the Deployment when not given, or the only one.
    type: str
  state:
    description:
      - V(released) brings O(container) to O(image).
      - V(restarted) replaces every pod, once per O(checksum).
      - V(rolled_back) returns to what is pinned for O(release). Nothing happens when it is there already.
      - V(stopped) scales each of O(deployments) to 0, and V(running) gives it the count that it had.
      - V(read) only reads where O(deployments) stand.
    type: str
    choices: [released, restarted, rolled_back, stopped, running, read]
    default: released
  deployments:
    description:
      - The Deployments to stop, start or read, in the order in which they are written. All of the namespace are read
        when not given.
      - One that is missing keeps all others from being stopped or read, but none from being started.
    type: list
    elements: str
  image:
    description: The image to run, with tag or digest. Required with O(state=released).
    type: str
  environment:
    description:
      - Environment variables that O(container) gets with O(image), beside those that it has. One of the same name is
        replaced, and the rollback restores it.
      - Values stand in the Deployment for all to read, so a secret belongs into a Secret.
    type: dict
    default: {}
  release:
    description:
      - The version that this belongs to, for example V(2.0.0). Written on the Deployment, and the way to its pins.
      - Required with O(state=rolled_back).
    type: str
  checksum:
    description:
      - Of what the pods read when they start, as RV(easymo.deploy.feature_flags#module:checksum). It is written on the
        pod template, so pods that were started with it are not restarted again.
      - Only with O(state=restarted). Without it the pods are restarted every time.
    type: str
  undo_on_failure:
    description:
      - Whether a failing rollout is undone. Yes with O(state=released) and no otherwise when not given.
      - An undone rollout still fails the task; RV(result) tells that the Deployment serves as before.
    type: bool
  allow_no_replicas:
    description: Whether O(state=released) may succeed for a Deployment with 0 replicas, though no pod proves anything.
    type: bool
    default: false
  log_line:
    description:
      - Text that the log of every new pod must contain, for example V(started successfully).
      - Looked for after a rollout of this task, not when there was nothing to do.
    type: str
"""

    # Of all that follows pods to their end.
    FOLLOWED = r"""
options:
  wait_timeout:
    description:
      - Seconds for the rollout at most, measured on a monotonic clock. Pods that come and go do not prolong it.
      - An undo has as much time again.
    type: int
    default: 300
  quorum:
    description:
      - How many pods must show a failure that a bad node alone can cause, such as a crash loop, before it dooms. What
        no node can cause, such as an image that is not in the registry, always needs one only with V(nodes) and
        V(any).
      - With V(nodes) it takes two pods on two nodes, at one time or one after the other. While only one node is known
        to show it, the pod in trouble is replaced, up to five times in a rollout, and a fresh pod that shows it on
        another node, or on the only one, is enough at its first sign. Without the right to delete pods, what was
        seen so far decides.
      - With V(any) one pod is enough; with V(all) every new pod must show a failure.
    type: str
    choices: [nodes, any, all]
    default: nodes
  actor:
    description: Who does it, written on the Deployments. The user and name of this machine when not given.
    type: str
"""

    # Of all that releases.
    PROVEN = r"""
options:
  wait_for_old:
    description:
      - Whether to wait until the last pod of older revisions is gone, those that are ending included, as before a
        migration that their code would not survive. Without it the result tells how many are left.
      - The task fails, and nothing is undone, when they are not gone within O(wait_timeout).
    type: bool
    default: false
  soak:
    description:
      - Seconds to watch the finished rollout. A container that restarts meanwhile dooms it.
      - A release is watched, all the same, until its liveness probe has answered. That is until a new pod has run for
        C(initialDelaySeconds), one C(periodSeconds) and C(timeoutSeconds), when its events arrive and tell of no
        failure, or else for C(failureThreshold) periods, after which it would have been killed. A pod that has run for
        so long when the rollout is complete costs no time. Up to that much goes on top of O(wait_timeout).
      - What a run that was killed did not watch to its end, the next one does. Until then the Deployment has the
        annotation C(easymo.com/soak).
      - A rolled container without a liveness probe is watched for as long as its readiness probe would take to fail,
        from its start, and without any probe for 31 seconds.
      - V(0) watches nothing.
    type: int
"""
