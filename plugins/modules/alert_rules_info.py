#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: alert_rules_info
short_description: Read which alerts Prometheus has loaded, and whom Alertmanager can tell
version_added: 0.2.0
description:
  - Lists the alerting rules that Prometheus evaluates now, and the receivers of its Alertmanager.
  - Given the groups of a rule file, it tells what of them is not loaded as it should be, and which alert Alertmanager
    does not take to the receiver that its label C(notify) names, without failing.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._alerts
  - easymo.deploy._libraries.requests
options:
  groups:
    description: Groups of rules to look for, as under C(groups) in a rule file. Needs Prometheus >= 2.39.
    type: list
    elements: dict
    default: []
seealso:
  - module: easymo.deploy.alert_rules
"""

EXAMPLES = r"""
- name: Look whether the release's alerts are loaded
  easymo.deploy.alert_rules_info:
    prometheus: {url: https://prometheus.example.com}
    alertmanager: {url: https://alertmanager.example.com}
    groups: "{{ (lookup('ansible.builtin.file', 'release.rules.yml') | from_yaml).groups }}"
  register: alerts

- name: Stop when one is missing
  ansible.builtin.assert:
    that: alerts.lacking == {}
"""

RETURN = r"""
alerts:
  description: The alerts that are loaded, with C(duration) in seconds.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: High Error Rate, group: release-alerts, query: 'rate(errors[5m]) > 0.05', duration: 120, health: ok}
lacking:
  description: By alert of O(groups) why it is not loaded as it should be.
  returned: success
  type: dict
  sample: {High Error Rate: not loaded}
receivers:
  description: The names of Alertmanager's receivers.
  returned: when O(alertmanager) is given
  type: list
  elements: str
  sample: [on-call-engineer, engineering-manager, "#engineering-alerts"]
misrouted:
  description: By alert of O(groups) why nobody, or somebody else, would hear of it.
  returned: when O(alertmanager) is given
  type: dict
  sample: {Service Down: "Alertmanager's routes take 'Service Down' to 'default' and not to 'engineering-manager'"}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Unreachable
"""

import typing as t

from ..module_utils._alerts.apply import LoadedRules
from ..module_utils._alerts.options import alerts_api, alerts_result, wanted_of
from ..module_utils._documentation import documented
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, execute, refuse_below

NEEDS = (REQUESTS,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, request_timeout=0.1)
    api = alerts_api(params, params["request_timeout"])
    wanted = wanted_of(params)
    _mine, lacking = LoadedRules(api, wanted).look()
    return {
        "changed": False,
        "alerts": [rule.to_result() for rule in api.rules()],
        "lacking": lacking,
        **alerts_result(api, params, wanted),
    }


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
