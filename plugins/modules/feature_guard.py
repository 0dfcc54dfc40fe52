#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_guard
short_description: Look once at a feature that is being brought to its users, and take users out when something is wrong
version_added: 0.3.0
description:
  - One look, to be taken every minute or so for as long as a ramp goes on, and whenever an alert calls for it. It may
    run at any time, any number of times and beside anybody.
  - Looks at the alerts that fire, at all metrics, at what the pods run with, and at the deploy lock. Whatever calls for
    something is a cause. For all causes of a look it acts once, by one step down or by the kill switch, and for no
    cause twice.
  - The act is one write, of the flags, of what the guard did and of the ramp's state together, bound to the version
    that was read. Then the pods are brought to the flags.
  - A rule's annotation C(guard) says what its alert calls for, C(step_down), C(kill_switch), C(tell) for people alone,
    or C(ignore). Without it, an alert whose annotation C(gate) is C(rollback) calls for a step down, one with C(note)
    for nothing, and any other for people. A metric that breaks its bound or its comparison calls for a step down.
  - After a step down it takes no other for O(settle) seconds. The kill switch waits for nothing.
  - A cause is over when it was seen to be gone for O(quiet) seconds. Until then it is the same, however often it comes.
  - What cannot be seen is no cause and ends none. People are told of it after O(blind_after) seconds.
  - Rests while the release of O(release) is not signed off, and when the ramp is complete.
  - In check mode it says what it would do, and keeps nothing.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.flags_and_kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._ramp
  - easymo.deploy._metrics
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._libraries.jmespath
  - easymo.deploy._flags.probe
  - easymo.deploy._flags.consumers
options:
  release:
    description: The release whose record tells when the ramp began, and keeps the guard's memory.
    type: str
    required: true
  flags_off:
    description: The values that switch the feature off, which the kill switch then holds.
    type: dict
    required: true
  wait_timeout:
    description: Seconds until every pod must be proven to run with the flags, after the guard changed them.
    default: 180
  settle:
    description: Seconds that a step down has to take effect before the next one.
    type: float
    default: 600
  quiet:
    description: Seconds for which a cause must be seen to be gone before it is another one when it comes again.
    type: float
    default: 600
  blind_after:
    description: Seconds after which people are told that the source of a metric or of the alerts fails.
    type: float
    default: 900
notes:
  - Of a metric, C(interval), C(initial_delay) and C(count) mean nothing here. Each look asks all metrics.
  - Needs the verbs of M(easymo.deploy.kill_switch), and C(get), C(create) and C(update) on C(configmaps).
seealso:
  - module: easymo.deploy.feature_ramp
  - module: easymo.deploy.metrics_gate
"""

EXAMPLES = r"""
- name: Look once
  easymo.deploy.feature_guard:
    namespace: shop-prod
    release: 2.0.0
    flag: FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE
    enabled_by: FEATURE_CHECKOUT
    flags_off: {FEATURE_CHECKOUT: false, FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 0}
    consumers: [checkout]
    schedule:
      - {day: 1, percentage: 1}
      - {day: 2, percentage: 5}
    prometheus: {url: https://prometheus.example.com}
    metrics:
      - name: error_rate
        query: sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))
        rollback: {above: 0.05}
      - name: alerts
        kind: alerts
        query: High Error Rate|Service Down
"""

RETURN = r"""
action:
  description:
    - What the guard did, V(step_down), V(kill_switch), V(delivered) for pods that ran with old flags, V(none), or
      V(rest).
  returned: success
  type: str
  sample: step_down
sentence:
  description: The same in words, with why.
  returned: success
  type: str
  sample: 5 % went back to 1 %, step 1 of 8, for High Error Rate since 2026-11-25T02:13:00Z fires.
causes:
  description:
    - What calls for something now, with C(key), C(calls_for) and C(text). One that was answered before is among them
      for as long as it lasts.
  returned: success
  type: list
  elements: dict
  sample:
    - key: alert High Error Rate
      calls_for: step_down
      text: High Error Rate since 2026-11-25T02:13:00Z fires
announcements:
  description:
    - What people are to be told, and were not yet as far as the release's record knows. The C(key) is the same for the
      same news. C(page) is V(trigger), V(resolve) or empty, for the incident C(incident).
  returned: success
  type: list
  elements: dict
  sample: [{key: guard_4f1c, text: "5 % went back to 1 %, for …", page: trigger, incident: 4f1c}]
attempt:
  description: The attempt of the release, V(0) when there is none.
  returned: success
  type: int
  sample: 1
not_reached:
  description: Pods that were brought to the flags and do not run with them, or could not be asked. Empty for none.
  returned: success
  type: str
"""

import typing as t

from ..module_utils._cluster import MonotonicClock
from ..module_utils._flags.apply import to_diff
from ..module_utils._flags.consumer import Consumers
from ..module_utils._flags.values import to_values
from ..module_utils._gate.models import Metric
from ..module_utils._gate.options import METRIC_RULES, read_metrics, with_comparisons
from ..module_utils._gate.sources import refuse_missing_libraries, sources_of
from ..module_utils._guard.apply import RampGuard
from ..module_utils._guard.memory import MemoryStore, Rules
from ..module_utils._guard.tell import to_result
from ..module_utils._kubernetes import actor_of, cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import LEASE
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._ramp.apply import RampFlags
from ..module_utils._ramp.options import read_schedule
from ..module_utils._release.store import ReleaseStore
from ..module_utils._run_process import alive
from ..module_utils._templates import JMESPATH

TIMES = ("settle", "quiet", "blind_after", "max_silence")
_ONE_LOOK = {"duration": 0.0, "initial_delay": 0.0, "interval": 60.0, "must_detect": None}
_NOTHING_YET: dict[str, t.Any] = {"treated_share": None, "evidence_before": {}}

module_spec = documented(
    DOCUMENTATION, needs=(KUBERNETES, JMESPATH), inside={"metrics": METRIC_RULES}
)


def run(module: Module) -> dict[str, t.Any]:
    params = {**module.params, **_ONE_LOOK, **_NOTHING_YET}
    refuse_below(params, wait_timeout=1, settle=0, quiet=0, blind_after=0, max_silence=0)
    schedule = read_schedule(params)
    metrics = read_metrics(params)
    refuse_missing_libraries(metrics)
    off = to_values(params["flags_off"], {})
    cluster = cluster_for(module)

    def metrics_for(before: t.Mapping[str, float], share: float | None) -> list[Metric]:
        options = {**params, "evidence_before": before, "treated_share": share}
        return with_comparisons(metrics, options)

    guard = RampGuard(
        cluster,
        release=params["release"],
        place=RampFlags(params["name"], params["flag"], params["enabled_by"]),
        schedule=schedule,
        rules=Rules(**{name: params[name] for name in TIMES}),
        flags_off={name: value for name, value in off.items() if value is not None},
        metrics_for=metrics_for,
        sources=sources_of(params, cluster),
        consumers=Consumers.from_params(module, cluster, "GuardActs", actor_of(params)),
        lock=params["lock"] or LEASE,
        alive=alive,
    )
    store = ReleaseStore(cluster, params["release"], clock=MonotonicClock())
    record = store.read()
    attempt = record.attempt if record else 0
    look = guard.look(record, MemoryStore(store, attempt), check_mode=module.check_mode)
    result = to_result(look, attempt, check_mode=module.check_mode)
    if not look.stored:
        module.warn("Another guard looked at the same time, and its look is kept.")
    if module._diff and look.flags is not None:
        result["diff"] = to_diff(look.flags)
    return result


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
