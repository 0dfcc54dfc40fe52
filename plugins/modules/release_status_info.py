#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_status_info
short_description: Tell how a release stands, or follow it to its end
version_added: 0.2.0
description:
  - Reads the deploy lock, the freeze, the release record, the Deployments and the flags, and judges them in one word.
  - With O(follow=true) it stays while somebody works on the release, on any machine, and tells each change. Before the
    release is recorded it waits up to half an hour for it to begin.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._module.typed
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  name:
    description: The release to tell of while no deployment runs. Else it is that of the deploy lock.
    type: str
    required: true
  services:
    description: The Deployments to tell of. Missing ones are told as missing.
    type: list
    elements: str
    required: true
  plan:
    description: The phases in their order, each with C(name), C(title) and C(minutes).
    type: list
    elements: dict
    default: []
  ramp:
    description: What M(easymo.deploy.feature_ramp) returned when it only read, empty to tell nothing of ramp and guard.
    type: dict
    default: {}
  launch_window:
    description: When deployments may run, as the variable C(release_launch_window), empty for at any time.
    type: dict
    default: {}
  changing:
    description: The phases that begin only in O(launch_window).
    type: list
    elements: str
    default: []
  config_map:
    description: The ConfigMap of the flags, empty to tell nothing of flags and kill switch.
    type: str
    default: ""
  page_url:
    description: Address of the release's page, empty for none.
    type: str
    default: ""
  follow:
    description:
      - Whether to stay until the release ends, is held or fails, or the lock is free.
      - A lock that its run does not renew for as long as it lasts counts as free. When the cluster can't be seen for
        5 minutes, the task fails.
    type: bool
    default: false
  interval:
    description: Seconds between two looks with O(follow=true).
    type: float
    default: 2
notes:
  - Needs the verb C(get) on C(leases) of C(coordination.k8s.io) and on C(configmaps), and C(list) on C(deployments)
    of C(apps).
"""

EXAMPLES = r"""
- name: See how the release stands
  easymo.deploy.release_status_info:
    namespace: shop-prod
    name: 2.0.0
    services: "{{ groups.microservices }}"
    plan: "{{ release_plan }}"
    config_map: feature-flags
  register: standing

- name: Refuse to go on unless all is well
  ansible.builtin.assert:
    that: standing.status.verdict == 'FINE'
    fail_msg: "{{ standing.lines | first }}"
"""

RETURN = r"""
status:
  description:
    - The status as data. All keys are always there; times are RFC 3339 in UTC, empty when there is none.
    - C(verdict) is V(FINE), V(RUNNING), V(ON HOLD), V(INTERRUPTED), V(FAILED), V(KILLED), V(ROLLED BACK),
      V(NOT FINISHED) or V(NO RELEASE). C(why) says for people who deploys and how far it is, or what stopped it.
    - C(release), C(attempt), C(by), C(since) and C(finished) are those of the record, empty or V(0) without one.
    - C(phase) is the one that runs, waits, failed or was cut off, empty for none. C(watching) is whether a run whose
      watch is on hold goes on looking.
    - C(phases) are those of the plan, then those that only the record has. Each has C(name), C(title), C(started),
      C(finished), and C(number), V(0) for what is not planned. Its C(status) is V(not_started), V(running), V(done),
      V(waived), V(on_hold), V(failed), V(rolled_back) or V(partly_rolled_back).
    - C(lock) is the lock, as RV(easymo.deploy.deploy_lock#module:lock), with lock and freeze in words as C(sentence).
      C(freeze) is the freeze in words.
    - C(services) has by name whether its Deployment C(exists), the C(version) that it asks for, and how many pods are
      C(desired) and C(available). C(complete) and C(paused) are of its last change.
    - C(flags) are those of O(config_map) as they are written. C(kill_switch) says who set the kill switch and why.
    - C(ramp) is where O(ramp) stands, with its C(percentage), C(step), C(steps) and C(next) step. C(guard) is when the
      guard looked, and in C(silent) that it did not for too long. It is empty while there is nothing to guard.
    - C(backups) are those of the attempt, oldest first, with C(name), C(finished), C(size) in bytes and C(uri).
      C(availability) is as RV(easymo.deploy.availability#module:availability). C(page) is O(page_url).
    - C(verified) says what of a rollback was seen to be back, empty where none was verified.
    - C(problem) says that the record is not as it was written, and where; it is empty otherwise.
    - C(next) is what helps from here, the best first, each with C(command) and C(why). In C(reason='WHY') people write
      their own. An entry without a command names who has to do or to decide something.
  returned: success
  type: dict
lines:
  description: The same in at most 25 lines for people.
  returned: success
  type: list
  elements: str
  sample: ["FINE: release 2.0.0 is done since 08:05:12 UTC"]
"""

import functools
import typing as t
from datetime import datetime

from ..module_utils._cluster import MonotonicClock
from ..module_utils._errors import InputError
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, emit_progress, execute, refuse_below
from ..module_utils._status import build as standing
from ..module_utils._story.plan import Plan
from ..module_utils._terminal.commands import Typed
from ..module_utils._time import now

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES,))


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, interval=0.1)
    if nameless := [entry for entry in params["plan"] if "name" not in entry]:
        raise InputError(f"Option 'plan' has a phase without a name: {nameless[0]}.")
    place = {"release": params["name"], "config_map": params["config_map"]}
    see = functools.partial(standing.look, cluster_for(module), **place)
    names = ("services", "ramp", "launch_window", "changing", "page_url")
    requested = standing.StatusOptions(
        plan=Plan.read(params["plan"]),
        typed=Typed(params["playbooks"], tuple(params["inventories"]), params["program"]),
        **{name: params[name] for name in names},
    )

    def build(observed: standing.Observed, moment: datetime) -> dict[str, t.Any]:
        return standing.status_of(observed, requested, moment)

    if params["follow"]:
        tell, interval = functools.partial(emit_progress, module), params["interval"]
        status = standing.follow(see, build, tell, MonotonicClock(), interval=interval, today=now)
    else:
        status = build(see(), now())
    lines = standing.lines_of(status, now())
    remarks = [] if params["follow"] else lines
    return {"changed": False, "status": status, "lines": lines, "remarks": remarks}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
