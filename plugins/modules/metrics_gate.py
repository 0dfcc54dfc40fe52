#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_gate
short_description: Watch metrics for a while and decide to proceed, hold or roll back
version_added: 0.1.0
description:
  - Asks Prometheus and PostgreSQL for one number a metric, every O(interval) seconds for O(duration) seconds.
  - V(rollback) as soon as a metric was beyond its rollback bound O(breaches) times in a row.
  - V(proceed) when at the end every metric has data and is within its pass bound.
  - V(hold) for everything else. Missing data, errors, NaN and several series where one is expected never pass,
    and never roll back.
  - Runs in the controller when the connection is local, and shows each look as it is taken.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
  - easymo.deploy._attributes_controller
options:
  prometheus_url:
    description: URL of Prometheus. Needed when a metric is of the kind V(prometheus).
    type: str
  prometheus_token:
    description: Bearer token for Prometheus.
    type: str
  ca_cert:
    description: File with the certificate authorities that may have signed the certificate of Prometheus.
    type: path
  metrics:
    description: What to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the metric is called.
        type: str
        required: true
      kind:
        description: Who is asked.
        type: str
        choices: [prometheus, postgres]
        default: prometheus
      query:
        description:
          - PromQL that gives one series, or SQL that gives one value. SQL runs read-only.
        type: str
        required: true
      unit:
        description: The unit of the value, for people.
        type: str
        default: ""
      pass:
        description: Where the value should be. Without bounds, any number passes.
        type: dict
        suboptions:
          min:
            description: The lowest good value.
            type: float
          max:
            description: The highest good value.
            type: float
      rollback:
        description: Where the value is so bad that the release goes back. Without bounds, the metric only holds.
        type: dict
        suboptions:
          below:
            description: Lower values are breaches.
            type: float
          above:
            description: Higher values are breaches.
            type: float
      connection:
        description: The database to ask. Needed with the kind V(postgres).
        type: dict
        suboptions:
          login_host:
            description: Host of the server.
            type: str
            required: true
          login_port:
            description: Its port.
            type: int
            default: 5432
          login_user:
            description: Role to connect as.
            type: str
            required: true
          login_password:
            description: Its password.
            type: str
          login_db:
            description: Database to connect to.
            type: str
            required: true
          ssl_mode:
            description: How TLS is used, as libpq's C(sslmode).
            type: str
            choices: [disable, allow, prefer, require, verify-ca, verify-full]
            default: verify-full
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          connect_timeout:
            description: Seconds to wait for a connection.
            type: int
            default: 10
  duration:
    description: Seconds to watch. V(0) is one look.
    type: float
    default: 3600
  interval:
    description: Seconds from one look to the next.
    type: float
    default: 10
  initial_delay:
    description: Seconds to wait before the first look, so that rates cover the release only.
    type: float
    default: 0
  breaches:
    description: So many samples in a row beyond the rollback bound of a metric roll back. Gaps neither count nor reset.
    type: int
    default: 2
  max_missing:
    description: The share of a metric's samples that may be missing, from V(0) to V(1).
    type: float
    default: 0.1
  query_timeout:
    description: Seconds to wait for the answer to one query.
    type: float
    default: 10
  fail_on:
    description: The verdicts that fail the task.
    type: list
    elements: str
    choices: [hold, rollback]
    default: [hold, rollback]
requirements:
  - requests >= 2.32
  - psycopg2-binary >= 2.9.10 (for the kind V(postgres))
"""

EXAMPLES = r"""
- name: Watch the first hour of a release
  easymo.deploy.metrics_gate:
    prometheus_url: https://prometheus.easymo.com
    duration: 3600
    interval: 10
    metrics:
      - name: error_rate
        query: sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))
        unit: ratio
        pass: {max: 0.01}
        rollback: {above: 0.05}
      - name: fallbacks
        kind: postgres
        query: SELECT count(*) FROM agent_fallbacks WHERE created_at > now() - interval '10 minutes'
        pass: {max: 10}
        connection:
          login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
          login_user: postgres
          login_password: "{{ vault_supabase_db_password }}"
          login_db: postgres

- name: Look once, and decide by hand
  easymo.deploy.metrics_gate:
    prometheus_url: https://prometheus.easymo.com
    duration: 0
    fail_on: []
    metrics:
      - {name: up, query: min(up), pass: {min: 1}}
  register: gate
"""

RETURN = r"""
verdict:
  description: V(proceed), V(hold) or V(rollback).
  returned: success, and when the verdict fails the task
  type: str
  sample: proceed
reasons:
  description: Why it is not V(proceed), a sentence a metric.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  contains:
    metric:
      description: The metric.
      returned: always
      type: str
      sample: error_rate
    verdict:
      description: What it calls for.
      returned: always
      type: str
      sample: rollback
    text:
      description: Why.
      returned: always
      type: str
      sample: error_rate was above 0.05 ratio 2 times in a row (last 0.0812)
    value:
      description: Its last value, null when there is none.
      returned: always
      type: float
      sample: 0.0812
samples:
  description: What was seen of each metric.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  contains:
    name:
      description: The metric.
      returned: always
      type: str
      sample: error_rate
    unit:
      description: Its unit.
      returned: always
      type: str
      sample: ratio
    query:
      description: The query.
      returned: always
      type: str
      sample: min(up)
    count:
      description: Number of samples with a value.
      returned: always
      type: int
      sample: 361
    missing:
      description: Number of samples without one.
      returned: always
      type: int
      sample: 0
    min:
      description: The lowest value, null without any.
      returned: always
      type: float
      sample: 0.0
    max:
      description: The highest value, null without any.
      returned: always
      type: float
      sample: 0.004
    mean:
      description: The mean of the values, null without any.
      returned: always
      type: float
      sample: 0.001
    last:
      description: The last value, null when the last look saw none.
      returned: always
      type: float
      sample: 0.002
    problem:
      description: Why the last look saw none, otherwise empty.
      returned: always
      type: str
      sample: ""
duration:
  description: Seconds from the first look to the last.
  returned: success, and when the verdict fails the task
  type: float
  sample: 3600.2
reason:
  description: One word for why the task failed. V(Hold) and V(Rollback) are verdicts.
  returned: failure
  type: str
  sample: Hold
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._gate.keep import ReleaseMemory
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Metric
from ansible_collections.easymo.deploy.plugins.module_utils._gate.options import (
    gate_options,
    read_metric,
    refuse_bad_input,
    refuse_bad_keeping,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import (
    describe_look,
    describe_watch,
    look_data,
    refuse_verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import (
    refuse_missing_libraries,
    sources_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import Schedule
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import Look, Watcher
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import KUBERNETES
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_module import cluster_at
from ansible_collections.easymo.deploy.plugins.module_utils._library import refuse_missing
from ansible_collections.easymo.deploy.plugins.module_utils._module import Module, execute, say

TIMES = ("duration", "interval", "initial_delay", "hold_for", "recover_for", "max_gap")


def module_spec() -> dict[str, t.Any]:
    return {"argument_spec": gate_options(), "supports_check_mode": True}


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    metrics = [read_metric(entry, params) for entry in params["metrics"]]
    refuse_bad_input(params, metrics)
    refuse_bad_keeping(params, metrics)
    refuse_missing_libraries(metrics)
    cluster = cluster_of(module)
    memory = memory_of(module, cluster)
    watcher = Watcher(
        metrics,
        sources_of(params, cluster),
        tell=lambda look: tell(module, metrics, look),
        memory=memory,
    )
    watch = watcher.run(Schedule(**{name: params[name] for name in TIMES}))
    if memory is not None and memory.lost:
        module.warn(f"{memory.lost} looks could not be kept in the record of {params['release']}.")
    result = describe_watch(metrics, watch)
    refuse_verdict(watch, result, params["fail_on"], kept=memory is not None)
    return result


def cluster_of(module: Module) -> Cluster | None:
    if not module.params["kubernetes"]:
        return None
    refuse_missing([KUBERNETES])
    return cluster_at(module, module.params["kubernetes"])


def memory_of(module: Module, cluster: Cluster | None) -> ReleaseMemory | None:
    """A rehearsal leaves no trace in the record."""
    params = module.params
    if not params["release"] or cluster is None or module.check_mode:
        return None

    def told(text: str) -> None:
        say(module, "WatchResumed", text, {"gate": params["gate"]})

    return ReleaseMemory(cluster, params["release"], params["gate"], say=told)


def tell(module: Module, metrics: t.Sequence[Metric], look: Look) -> None:
    say(module, "MetricsSampled", describe_look(metrics, look), look_data(look))


def main() -> None:
    execute(AnsibleModule(**module_spec()), run)


if __name__ == "__main__":
    main()
