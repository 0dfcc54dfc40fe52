#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: alert_rules
short_description: Give Prometheus its alerts, and see that it has them loaded
version_added: 0.2.0
description:
  - Puts groups of rules where Prometheus takes them from, either a PrometheusRule object of its operator, written by
    server-side apply, or a file among its C(rule_files), which it is asked to read again. It is asked as well where the
    file is right and not loaded, as after a run that was stopped between the two.
  - Then waits until Prometheus has each alert loaded under its group, with the same expression, C(for), labels and
    annotations, and evaluates it without an error. Expressions are compared as Prometheus itself formats them, so that
    blanks, brackets and the order of clauses make no difference.
  - With O(alertmanager), its routes are walked for each alert's labels before anything is written. The task fails
    for one that does not end at the receiver which its label C(notify) names, at a receiver without an integration, in
    a route with time intervals, or in a silence.
  - An expression that Prometheus does not understand fails the task before anything is written. When Prometheus does
    not take a new file, the file is put back as it was.
  - Recording rules are put there too, and are not looked for.
  - On a host with a local connection it runs in the controller and tells what it waits for.
requirements:
  - kubernetes, only for O(destination=prometheus_rule)
  - PyYAML
  - Prometheus >= 2.39
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._monitoring
  - easymo.deploy._libraries.requests
options:
  groups:
    description: The groups of rules, as under C(groups) in a rule file.
    type: list
    elements: dict
    required: true
  destination:
    description: Where Prometheus takes them from.
    type: str
    choices: [prometheus_rule, file]
    default: prometheus_rule
  namespace:
    description: The namespace of the PrometheusRule. Needed for O(destination=prometheus_rule).
    type: str
    required: false
  name:
    description: The name of the PrometheusRule.
    type: str
    default: release-alerts
  labels:
    description: Labels of the PrometheusRule, those that the C(ruleSelector) of your Prometheus looks for.
    type: dict
    default: {}
  force:
    description: Whether to take over rules of the PrometheusRule that another manager owns, such as C(kubectl).
    type: bool
    default: false
  path:
    description:
      - The file. Needed for O(destination=file). Its folder must exist.
      - Prometheus is asked to read it with C(POST /-/reload), for which it is started with C(--web.enable-lifecycle).
    type: path
  wait_timeout:
    description: Seconds to wait until Prometheus has them loaded and evaluated.
    type: float
    default: 180
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 2
notes:
  - Needs the verbs C(get), C(patch) and C(create) on C(prometheusrules) of C(monitoring.coreos.com) for
    O(destination=prometheus_rule).
  - In check mode an apply is tried without keeping it, a file is not written, and what Prometheus lacks now is told in
    RV(lacking) without failing.
"""

EXAMPLES = r"""
- name: Give the operator's Prometheus the release's alerts
  easymo.deploy.alert_rules:
    prometheus: {url: https://prometheus.example.com}
    alertmanager: {url: https://alertmanager.example.com}
    namespace: monitoring
    labels: {release: kube-prometheus-stack}
    groups: "{{ (lookup('ansible.builtin.file', 'release.rules.yml') | from_yaml).groups }}"

- name: Give a Prometheus on this host its alerts
  easymo.deploy.alert_rules:
    prometheus: {url: http://127.0.0.1:9090}
    destination: file
    path: /etc/prometheus/rules/release.yml
    groups: "{{ (lookup('ansible.builtin.file', 'release.rules.yml') | from_yaml).groups }}"
"""

RETURN = r"""
where:
  description: Where the rules were put.
  returned: success
  type: str
  sample: PrometheusRule 'release-alerts' in namespace 'monitoring'
alerts:
  description: The alerts as Prometheus has them loaded, with C(duration) in seconds.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: High Error Rate, group: release-alerts, query: 'rate(errors[5m]) > 0.05', duration: 120, health: ok}
lacking:
  description: By alert why it is not loaded as it should be.
  returned: in check mode, and when the time was up
  type: dict
  sample: {High Error Rate: not loaded}
receivers:
  description: The names of Alertmanager's receivers.
  returned: when O(alertmanager) is given
  type: list
  elements: str
  sample: [on-call-engineer, engineering-manager, "#engineering-alerts"]
misrouted:
  description: By alert why it would reach no receiver, or a wrong one. Empty unless the task failed for it.
  returned: when O(alertmanager) is given
  type: dict
"""

import typing as t
from pathlib import Path

from ..module_utils._alerts import apply as alerts
from ..module_utils._alerts.api import AlertsApi
from ..module_utils._alerts.plan import of_pods, wanted_rules
from ..module_utils._cluster import MonotonicClock
from ..module_utils._errors import refuse_missing
from ..module_utils._http import REQUESTS
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, emit_progress, execute, refuse_below

module_spec = documented(
    DOCUMENTATION,
    needs=(REQUESTS,),
    required_if=[
        ("destination", "prometheus_rule", ("namespace",)),
        ("destination", "file", ("path",)),
    ],
)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, request_timeout=0.1, wait_timeout=0, wait_sleep=0.1)
    api = alerts.alerts_api(params, params["request_timeout"])
    groups = of_pods(params["groups"], params["pods"])
    wanted = wanted_rules(groups)
    watch = alerts.LoadedRules(api, wanted)
    message = alerts.check_routes(api, wanted) if params["alertmanager"] else {}
    destination = _destination(module, api)
    before, changed = destination.compare(groups)
    if changed:
        destination.write(groups, dry_run=module.check_mode)
    elif destination.reload and not module.check_mode and watch.look()[1]:
        # The run that wrote it ended before Prometheus was told.
        destination.reload()
        changed = True
    result = {"changed": changed, "where": destination.where, **message}
    if module.check_mode:
        loaded, result["lacking"] = watch.look()
    else:
        loaded = watch.wait(
            MonotonicClock(),
            params["wait_timeout"],
            params["wait_sleep"],
            lambda text: emit_progress(
                module, "AlertsProgress", text, {"where": destination.where}
            ),
        )
    result["alerts"] = [rule.to_result() for rule in loaded]
    diff = {"before": {"groups": before or []}, "after": {"groups": groups}}
    return {**result, "diff": diff}


def _destination(module: Module, api: AlertsApi) -> alerts.RuleObject | alerts.RuleFile:
    params = module.params
    if params["destination"] == "file":
        return alerts.RuleFile(Path(params["path"]), api.reload)
    refuse_missing((KUBERNETES,))
    return alerts.RuleObject(
        cluster_for(module), params["name"], params["labels"], force=params["force"]
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
