#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_wave
short_description: Roll several Deployments to their images, wave after wave
version_added: 0.2.0
description:
  - Does what M(easymo.deploy.rollout) does with O(ignore:state=released), for each service in a thread of its own. So a
    wave takes as long as its slowest service, however few forks Ansible has.
  - A service that O(checks) name is done when these pass too. One that rolled and does not pass fails, and stays
    rolled.
  - What becomes of one service changes nothing for the others of its wave. A wave begins when all services of the one
    before it are rolled and well, while they soak; once one has failed, no other begins. A wave is done when it and all
    before it are through their soak.
  - When a service that soaks is undone, so are those of later waves that have begun, and these first. One that was at
    its image already stays.
  - Give each host its own result with M(easymo.deploy.wave_result).
  - On a host with a local connection it runs in the controller and shows one line per change of counts.
requirements:
  - what M(easymo.deploy.health_check) needs for the kinds of O(checks)
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._rollout.followed
  - easymo.deploy._rollout.proven
  - easymo.deploy._checks
options:
  services:
    description: What to roll. No two may have the same O(services[].name) or O(services[].host).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The Deployment. O(services[].host) when not given.
        type: str
      host:
        description: The host that it is in the inventory. O(services[].name) when not given.
        type: str
      container:
        description: The container whose image is released. When not given, O(services[].name) or the only one.
        type: str
      image:
        description: The image to run, with tag or digest.
        type: str
        required: true
      environment:
        description: Variables that it gets with the image, as the option O(easymo.deploy.rollout#module:environment).
        type: dict
        default: {}
      log_line:
        description: Text that the log of every new pod must contain.
        type: str
  waves:
    description: The hosts of each wave, in order. Each host of O(services) is in one. All are one wave when not given.
    type: list
    elements: list
  overlap:
    description: Whether a wave begins while those before it soak, or after each of them is done.
    type: bool
    default: true
  pinned:
    description:
      - What is rolled in place of an image, for example the same by its digest, as
        RV(easymo.deploy.images#module:images) has it.
      - When it has anything, it must have each image of O(services).
    type: dict
    default: {}
  checks:
    description:
      - How services are asked for 30 seconds whether they are well, as by M(easymo.deploy.health_check). The name of
        each is the host of its service. A service that none names is done when its pods are.
    type: list
    elements: dict
    default: []
  release:
    description: The version that all of them belong to, and the way to their pins.
    type: str
  undo_on_failure:
    description: Whether a failing rollout is undone, as O(easymo.deploy.rollout#module:undo_on_failure).
    type: bool
    default: true
  fail:
    description: Whether the task fails when a service did. If not, look at RV(failed_services).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Roll two services side by side
  easymo.deploy.rollout_wave:
    namespace: shop-prod
    release: 2.0.0
    services:
      - name: wallet-service
        image: shop/wallet-service:v2.0.0
      - name: buyer-service
        image: shop/buyer-service:v2.0.0
    checks:
      - name: wallet-service
        kind: http
        http: {url: https://api.example.com/health/wallet-service, json: {version: 2.0.0}}

- name: Roll the services of all hosts of the play, wave after wave
  easymo.deploy.rollout_wave:
    namespace: shop-prod
    release: 2.0.0
    services: "{{ ansible_play_hosts | easymo.deploy.host_values(hostvars, {'name': 'deployment', 'image': 'image'}) }}"
    waves: "{{ groups | easymo.deploy.service_waves('services', ansible_play_hosts) }}"
    fail: false
  register: waves
  when: inventory_hostname == ansible_play_hosts_all | first
  changed_when: false
"""

RETURN = r"""
services:
  description:
    - What M(easymo.deploy.rollout) returns of each service, by its host, with RV(ignore:failed), the number of its
      wave as RV(ignore:wave), and RV(ignore:msg) and RV(ignore:reason) of one that failed.
    - Without the services of waves that did not begin, for a service of an earlier one failed.
  returned: always, but for bad input
  type: dict
  sample: {wallet-service: {result: succeeded, changed: true, failed: false, wave: 2, duration: 12.4}}
failed_services:
  description: The hosts whose service failed.
  returned: always, but for bad input
  type: list
  elements: str
"""

from ..module_utils._checks.health import libraries, read_checks
from ..module_utils._cluster import MonotonicClock
from ..module_utils._errors import DeployError, refuse_missing
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import Look
from ..module_utils._module import Module, Result, documented, execute, refuse_below
from ..module_utils._rollout.overlap import Overlap
from ..module_utils._rollout.watches import SharedWatches
from ..module_utils._waves.wave import (
    Shared,
    answers,
    checks_by_host,
    look_ahead,
    plan_waves,
    release_pins,
    roll_one,
    roll_waves,
    rollouts_of,
)


class RolloutsFailedError(DeployError):
    reason = "RolloutsFailed"


HEALTH_WITHIN = 30
"""Seconds in which checks must pass once their service is rolled."""

module_spec = documented(
    DOCUMENTATION, needs=(KUBERNETES,), inside={"services": {"required_one_of": [("name", "host")]}}
)


def run(module: Module) -> Result:
    params = module.params
    refuse_below(params, wait_timeout=1, fence=0)
    rollouts = rollouts_of(params)
    checks = read_checks(params)
    refuse_missing(libraries(checks))
    by_host = checks_by_host(checks, rollouts)
    order = Overlap(plan_waves([*rollouts], params["waves"]), overlaps=params["overlap"])
    cluster = cluster_for(module).until(MonotonicClock().now() + params["wait_timeout"])
    look = Look()
    with SharedWatches(cluster) as watches:
        shared = Shared(release_pins(cluster, params), look, watches)
        done = roll_waves(
            module,
            order,
            rollouts,
            lambda service: roll_one(service, shared, service.place),
            lambda service: answers(by_host.get(service.host, ()), HEALTH_WITHIN),
            before=lambda: look_ahead(cluster, params, look),
        )
    failed = [host for host, result in done.items() if result["failed"]]
    result = {
        "changed": any(entry["changed"] for entry in done.values()),
        "services": done,
        "failed_services": failed,
    }
    if failed and params["fail"]:
        text = " ".join(f"{host}: {done[host]['msg']}" for host in failed)
        raise RolloutsFailedError(f"{len(failed)} of {len(done)} rollouts failed. {text}", **result)
    return result


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
