# SPDX-License-Identifier: GPL-3.0-or-later
"""How each service is asked whether it is well."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_health
short_description: How each service is asked whether it is well
version_added: 0.3.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - A check of each service, as those of M(easymo.deploy.health_check), by its name. A service that cannot be asked, as
    a worker that listens nowhere, is left out.
positional: url, others, kubernetes, prometheus
options:
  _input:
    description: Names of the services.
    type: list
    elements: str
    required: true
  url:
    description: URL of a service's health, with C({service}) for its name. Empty where they have none.
    type: str
    required: true
  others:
    description:
      - What differs, by the name of the service. Empty for one that cannot be asked, a URL, or a kind of check of
        M(easymo.deploy.health_check) with its options.
      - C(exec) needs no more than its C(command), and asks the Deployment of the service's name. C(metric) needs a
        C(query).
    type: dict
    default: {}
  kubernetes:
    description: How the cluster is reached, for C(exec).
    type: dict
    default: {}
  prometheus:
    description: How Prometheus is reached, for C(metric).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Check a service at its address, and workers by a program and by a number
  easymo.deploy.health_check:
    checks: "{{ (['shop', 'mailer', 'indexer']
      | easymo.deploy.service_health('https://api.example.com/{service}', others, {'namespace': 'shop-prod'},
      {'url': 'https://prometheus.example.com'})).values() | list }}"
  vars:
    others:
      mailer: {exec: {command: [python, -m, mailer.health]}}
      indexer: {metric: {query: max(indexer_lag_seconds), pass: {max: 60}}}
"""

RETURN = r"""
_value:
  description: The check by the name of the service.
  type: dict
  sample: {shop: {name: shop, kind: http, http: {url: "https://api.example.com/shop"}}}
"""

import typing as t

from ansible.errors import AnsibleFilterError

Options = t.Mapping[str, t.Any]


def service_health(
    services: t.Sequence[str],
    url: str,
    others: Options | None = None,
    kubernetes: Options | None = None,
    prometheus: Options | None = None,
) -> dict[str, dict[str, t.Any]]:
    strangers = sorted({*(others or {})} - {*services})
    if strangers:
        raise AnsibleFilterError(
            f"contract_health names {strangers[0]!r}, which is no service of the inventory: correct the name."
        )
    checks = {}
    for service in services:
        kind, options = _read(service, (others or {}).get(service, url))
        if kind == "exec":
            options = {**(kubernetes or {}), "deployment": service, **options}
        if kind == "metric":
            options = {"prometheus": prometheus, **options}
        if options:
            checks[service] = {"name": service, "kind": kind, kind: options}
    return checks


def _read(service: str, health: str | Options) -> tuple[str, Options]:
    if isinstance(health, str):
        return "http", {"url": health.replace("{service}", service)} if health else {}
    kinds = list(health.items()) if isinstance(health, dict) else []
    if len(kinds) != 1 or not isinstance(kinds[0][1], dict):
        raise AnsibleFilterError(
            f"contract_health says {health!r} of {service!r}: give a URL, nothing at all, or one kind of check "
            "with its options, such as {exec: {command: [program, argument]}}."
        )
    return kinds[0]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_health": service_health}
