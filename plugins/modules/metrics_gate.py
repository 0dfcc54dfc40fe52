#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_gate
short_description: Watch metrics for a while and decide to proceed, hold or roll back
version_added: 0.1.0
description:
  - Asks Prometheus, PostgreSQL, the logs of pods and edge functions, and addresses with JSON for one number a metric,
    every O(interval) seconds for O(duration) seconds.
  - V(rollback) as soon as a metric was beyond its rollback bound O(breaches) times in a row.
  - V(proceed) when at the end every metric has data and is within its pass bound.
  - V(hold) for everything else. Missing data, errors, NaN and several series where one is expected never pass,
    and never roll back. With O(hold_for) it goes on guarding while it holds.
  - With O(release) the watch is kept in the ConfigMap C(release-<release>-watch). A run that was killed is
    taken up by the next one, and people decide by O(easymo.deploy.release#module:decision).
  - Runs in the controller when the connection is local, and shows each look as it is taken.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._module.verdict
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._metrics
  - easymo.deploy._metrics.watch
  - easymo.deploy._kubernetes.elsewhere
  - easymo.deploy._identity
options:
  release:
    description:
      - The release whose record keeps the watch. Its record must exist. Without it nothing is kept, and no
        decision is possible.
      - In check mode nothing is kept.
    type: str
  gate:
    description:
      - What the watch is called in the record. When it is named as a phase is, the run that was killed is told
        by it.
    type: str
    default: monitoring
  kubernetes:
    description:
      - The cluster of the record and of the logs. Needed with O(release), and with the kind V(kubernetes_log).
    type: dict
  after_answers:
    description:
      - Whether metrics are looked at only once that were good for all of O(duration) when the phase O(gate) held for an
        answer about users alone. RV(answers_since) then tells when such answers began to count.
      - Cohorts are left out, for one look compares no users. RV(sensitivity) is that of the watch before.
    type: bool
    default: false
  hold_for:
    description:
      - Seconds for which the gate goes on looking when the watch ends with V(hold). Meanwhile a breach rolls
        back, a person approves or rejects within one interval, and data that are good for O(recover_for)
        seconds proceed. V(hold) when the time is over.
      - V(0) ends with V(hold) at once.
    type: float
    default: 0
  recover_for:
    description:
      - Seconds for which every sample of every metric must be good, without a gap, to proceed out of a hold.
    type: float
    default: 600
  max_gap:
    description:
      - A watch that was stopped is taken up after a pause of at most this, in seconds. The looks
        that were missed count as missing. After a longer time the watch begins anew.
    type: float
    default: 300
requirements:
  - psycopg2-binary, only for the kind V(postgres)
  - kubernetes, only for O(release) and the kind V(kubernetes_log)
"""

EXAMPLES = r"""
- name: Watch the first hour of a release
  easymo.deploy.metrics_gate:
    prometheus: {url: https://prometheus.example.com}
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
        query: SELECT count(*) FROM order_notes WHERE created_at > now() - interval '10 minutes'
        pass: {max: 10}
        connection:
          login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
          login_user: postgres
          login_password: "{{ vault_supabase_db_password }}"
          login_db: postgres

- name: Watch with a memory, and guard for another hour while it holds
  easymo.deploy.metrics_gate:
    prometheus: {url: https://prometheus.example.com}
    release: 2.0.0
    kubernetes: {namespace: shop-prod}
    hold_for: 3600
    metrics:
      - name: error_lines
        kind: kubernetes_log
        deployment: checkout
        query: \bERROR\b
        window: 60
        pass: {max: 5}

- name: Ask a help desk how many complaints came in the last hour
  easymo.deploy.metrics_gate:
    metrics:
      - name: complaints
        kind: http
        url: https://helpdesk.easymo.com/api/complaints?since=1h
        token: "{{ vault_helpdesk_token }}"
        query: /count
        interval: 60
        unit: complaints an hour
        pass: {max: 3}
        rollback: {above: 10}

- name: Compare users who have the feature with those who do not, by an application's counters and by a table
  easymo.deploy.metrics_gate:
    prometheus: {url: https://prometheus.example.com}
    interval: 30
    must_detect: 2
    metrics:
      - name: failing_users
        treated:
          seen: sum by (instance) (users_seen_total{cohort="treated"})
          failed: sum by (instance) (users_failed_total{cohort="treated"})
        control:
          seen: sum by (instance) (users_seen_total{cohort="control"})
          failed: sum by (instance) (users_failed_total{cohort="control"})

- name: Look once, and decide by hand
  easymo.deploy.metrics_gate:
    prometheus: {url: https://prometheus.example.com}
    duration: 0
    fail_on: []
    metrics:
      - {name: up, query: min(up), pass: {min: 1}}
  register: gate
"""

RETURN = r"""
answers_since:
  description: Since when answers about users count, in UTC as RFC 3339. Empty for this watch.
  returned: success, and when the verdict fails the task
  type: str
  sample: "2026-11-25T09:05:00Z"
verdict:
  description: V(proceed), V(hold) or V(rollback).
  returned: success, and when the verdict fails the task
  type: str
  sample: proceed
sentence:
  description: The verdict, why, and what to do about it.
  returned: success, and when the verdict fails the task
  type: str
  sample: "Proceed: all metrics are good after 3600 s."
reasons:
  description:
    - Why it is not V(proceed), a sentence a metric. Of the C(metric) the C(verdict) that it calls for, and the C(text)
      that says why; the C(value) that decided, null when there is none, and the C(bound) that it is beyond, null when
      it is beyond none; the metric's C(query), and the C(count) of samples with a value.
    - C(started) is when the watch began and C(ended) when it was looked at last, in UTC.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  sample:
    - metric: error_rate
      verdict: rollback
      text: error_rate was above 0.05 ratio 2 times in a row (last 0.0812)
      value: 0.0812
      bound: 0.05
decision:
  description:
    - The decision of a person that ended the watch, with C(decision), C(by), C(reason) and C(at). Empty without
      one.
  returned: success, and when the verdict fails the task
  type: dict
  sample: {decision: approve, by: ann, reason: a mail went out, at: "2026-11-25T10:10:00Z"}
samples:
  description:
    - What was seen of each metric, by its C(name), with its C(unit), its C(query), and as C(kind) who was asked.
      C(count) samples had a value, and C(missing) had none.
    - C(min), C(max) and C(mean) of the values are null without any. C(last) is null when the last look saw none, and
      C(problem) says why, otherwise empty.
    - C(pass) is where the value should be, and C(rollback) where it is a breach. C(status) is what the last sample was,
      V(good), V(between) or V(breach), V(missing) without a value. What reads the record, as Slack and the report do,
      goes by it. C(verdict) is what this metric alone calls for.
    - C(points) is its course since C(started), when the watch began in UTC. It has at most 120 points of seconds since
      then, value and status. Extremes stay, and a value that was missing is null.
    - A metric that compares cohorts has a C(comparison) when it was looked at. The messages C(seen) and C(failed) of
      C(treated) and C(control) in this watch, the C(share) of treated users in them, the C(ratio) of how often both
      fail, the C(activity), which is how many times as much treated users wrote, the C(evidence), what is C(needed) for
      a breach, and that of the watch C(before). C(resets) counts how often a count began again, and C(seconds) how long
      it was watched.
    - In it, C(detectable) has the smallest harm that the watch would have found nine times of ten, as C(ratio), null
      where no harm would have been. C(could_have_seen) says it in words.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  sample:
    - name: error_rate
      unit: ratio
      count: 361
      missing: 0
      last: 0.002
      pass: {min: null, max: 0.01}
      rollback: {below: null, above: 0.05}
      status: good
      verdict: proceed
      started: "2026-11-25T09:05:00Z"
      points: [[0.0, 0.001, good], [10.0, 0.002, good]]
      comparison:
        treated: {seen: 812, failed: 9}
        control: {seen: 15420, failed: 180}
        ratio: 0.95
        activity: 1.3
        evidence: 0.21
        needed: 100.0
        detectable: {ratio: 3.1}
started:
  description: When the watch began, in UTC.
  returned: success, and when the verdict fails the task
  type: str
  sample: "2026-11-25T09:05:00Z"
sensitivity:
  description: Which harm the comparisons of cohorts could have seen. Empty without any.
  returned: success, and when the verdict fails the task
  type: str
  sample: failing_users could have seen 3.1 times as many failing users, nine times of ten.
held:
  description: Since when it held, and why at first. Empty when it did not.
  returned: success, and when the verdict fails the task
  type: dict
alerts:
  description:
    - Which of the alerts of a metric of the kind V(alerts) fired since the release O(release) began, or since the watch
      did. Empty without such a metric.
    - C(fired) has at most 50, each with C(name), C(severity), C(subject), C(since) and C(until), which is empty for one
      that still fires. C(looked) is false when some time was not watched, and C(why_not) says why.
  returned: success, and when the verdict fails the task
  type: dict
  sample:
    looked: true
    fired: [{name: Service Down, severity: critical, since: "2026-11-25T09:31:10Z", until: ""}]
reason:
  description: One word for why the task failed. V(Hold) and V(Rollback) are verdicts.
  returned: failure
  type: str
  sample: Hold
"""

import typing as t

from ..module_utils._alerts.api import to_record
from ..module_utils._alerts.plan import Alerts
from ..module_utils._cluster import Cluster
from ..module_utils._errors import HoldError, RollbackError
from ..module_utils._gate import options
from ..module_utils._gate.report import describe_look, describe_watch, look_data
from ..module_utils._gate.sources import (
    AlertsSource,
    SampleSource,
    refuse_missing_libraries,
    sources_of,
)
from ..module_utils._gate.state import Schedule, WatchState
from ..module_utils._gate.store import ReleaseMemory, answers_awaited
from ..module_utils._gate.watch import run_watch
from ..module_utils._identity import Demands
from ..module_utils._kubernetes import cluster_elsewhere
from ..module_utils._module import Module, documented, emit_progress, execute

ERRORS = {"hold": HoldError, "rollback": RollbackError}
TIMES = ("duration", "interval", "initial_delay", "hold_for", "recover_for", "max_gap")

module_spec = documented(DOCUMENTATION, inside={"metrics": options.METRIC_RULES})


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    cluster = cluster_elsewhere(module) if params["kubernetes"] else None
    memory = memory_of(module, cluster)
    waiting, since = None, ""
    if cluster and memory and params["after_answers"]:
        waiting, since = answers_awaited(cluster, params["release"], params["gate"])
    if waiting:
        metrics_once = [entry for entry in params["metrics"] if not entry["treated"]]
        params = {**params, "metrics": metrics_once, "duration": 0.0}
    metrics = options.with_comparisons(options.read_metrics(params), params)
    options.refuse_bad_keeping(params, metrics)
    refuse_missing_libraries(metrics)
    sources = sources_of(params, cluster)
    schedule = Schedule(**{name: params[name] for name in TIMES})

    def report(state: WatchState) -> None:
        text = describe_look(metrics, state, schedule.duration)
        emit_progress(module, "MetricsSampled", text, look_data(metrics, state, schedule.duration))

    watch = run_watch(metrics, sources, schedule, report=report, memory=memory)
    if memory is not None and memory.lost:
        module.warn(
            f"{memory.lost} samples could not be stored in the record of {params['release']}."
        )
    result = describe_watch(metrics, watch, kept_as=params["gate"] if memory else "")
    result["answers_since"] = since
    if waiting and waiting.sensitivity:
        result["sensitivity"] = waiting.sensitivity
    result["alerts"] = fired_meanwhile(sources, memory, watch.state.started)
    if memory:
        memory.remember(result["alerts"])
    if result["verdict"] in params["fail_on"]:
        raise ERRORS[result["verdict"]](result["sentence"], **result)
    return result


def fired_meanwhile(
    sources: t.Mapping[str, SampleSource], memory: ReleaseMemory | None, watched: float
) -> dict[str, t.Any]:
    """Which alerts fired since the release began, or since the watch did where nothing is known of a release."""
    requested = [entry for entry in sources.values() if isinstance(entry, AlertsSource)]
    alerts = memory.alerts if memory else Alerts()
    for source in requested:
        begun = memory.begun if memory else None
        alerts = source.since(watched if begun is None else begun, alerts)
    return to_record(alerts) if requested else {}


def memory_of(module: Module, cluster: Cluster | None) -> ReleaseMemory | None:
    """A rehearsal leaves no trace in the record."""
    params = module.params
    if not params["release"] or cluster is None or module.check_mode:
        return None

    def report(text: str) -> None:
        emit_progress(module, "WatchResumed", text, {"gate": params["gate"]})

    demands = Demands.read(params["identity"])
    return ReleaseMemory(cluster, params["release"], params["gate"], report, demands=demands)


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
