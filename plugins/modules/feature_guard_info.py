#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_guard_info
short_description: Tell when the guard of a ramp looked last
version_added: 0.3.0
description:
  - Reads what M(easymo.deploy.feature_guard) keeps of its looks.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  release:
    description: The release whose ramp is guarded.
    type: str
    required: true
  max_silence:
    description: The guard must have looked within so many seconds. V(0) asks for no guard.
    type: float
    default: 0
  name:
    description: The ConfigMap of the flags, whose annotation has what the guard did. Empty to tell nothing of that.
    type: str
    default: ""
seealso:
  - module: easymo.deploy.feature_guard
"""

EXAMPLES = r"""
- name: See whether the guard looks
  easymo.deploy.feature_guard_info:
    namespace: shop-prod
    release: 2.0.0
    max_silence: 900
  register: guard

- name: Refuse to go on without it
  ansible.builtin.assert:
    that: not guard.silent
    fail_msg: "{{ guard.silent }}"
"""

RETURN = r"""
sentence:
  description: When it looked last, in words. Empty when it never did and by O(max_silence) need not.
  returned: success
  type: str
  sample: The guard looked last at 2026-11-25T02:14:00Z, 40 s ago, 1021 times since 2026-11-24T09:10:00Z.
silent:
  description: That and why it did not look for longer than O(max_silence), in words. Empty when it did, or need not.
  returned: success
  type: str
  sample: ""
looks:
  description: As RV(easymo.deploy.feature_guard#module:looks). Empty before the first look.
  returned: success
  type: dict
  sample: {begun: "2026-11-24T09:10:00Z", last: "2026-11-25T02:14:00Z", looks: 1021, longest: 63.2, silences: []}
acts:
  description: What it did, the oldest first, with C(what), C(at), C(before), C(to) and C(why). Empty without O(name).
  returned: success
  type: list
  elements: dict
  sample: [{what: step_down, at: "2026-11-25T02:14:00Z", before: 5, to: 1, why: "High Error Rate fires"}]
watch:
  description:
    - Its watch of the cohorts at the present step, with when it C(began), and the C(evidence) by metric, for
      P(easymo.deploy.earlier_cohorts#filter).
  returned: success
  type: dict
  sample: {began: "2026-11-25T09:10:00Z", evidence: {failing_users: 0.4}}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Unreachable
"""

import typing as t

from ..module_utils._cluster import GUARD_ANNOTATION, MonotonicClock
from ..module_utils._documentation import documented
from ..module_utils._flags.apply import observe_flags
from ..module_utils._guard.describe import looks, when
from ..module_utils._guard.memory import MemoryStore
from ..module_utils._guard.models import Acts
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, execute, refuse_below
from ..module_utils._release.store import ReleaseStore
from ..module_utils._time import now

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, max_silence=0)
    cluster = cluster_for(module)
    store = ReleaseStore(cluster, params["release"], clock=MonotonicClock())
    record = store.read()
    attempt = record.attempt if record else 0
    memory = MemoryStore(store, attempt).read()
    flags = observe_flags(cluster, params["name"]) if params["name"] else None
    acts = Acts.from_annotation(flags.annotations.get(GUARD_ANNOTATION)) if flags else Acts()
    sentence, silent = when(memory, params["max_silence"], now().timestamp())
    return {
        "changed": False,
        "sentence": sentence,
        "silent": silent,
        "looks": looks(memory),
        "acts": [
            {"what": act.what, "at": act.at, "before": act.before, "to": act.to, "why": act.why}
            for act in acts.acts
            if (act.release, act.attempt) == (params["release"], attempt)
        ],
        "watch": memory.guarded if memory else {"began": "", "evidence": {}},
    }


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
