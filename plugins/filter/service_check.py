# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a service's name into a check for health_check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_check
short_description: A health check of a service at its public address
version_added: 0.1.0
author: Maintainers of easymo.deploy (@easymo)
description: Turns a service's name into one entry of the option C(checks) of M(easymo.deploy.health_check).
positional: url, version, version_at
options:
  _input:
    description: Name of the service.
    type: str
    required: true
  url:
    description: URL of a service's health, with C({service}) for its name; or these by the name of the service.
    type: raw
    required: true
  version:
    description: The version that the service must report. Any when not given.
    type: str
    default: ""
  version_at:
    description:
      - Where in the answer the version is, in JMESPath (U(https://jmespath.org)). Empty, and the answer has no version.
    type: str
    default: version
    version_added: 0.2.0
"""

EXAMPLES = r"""
- name: Check that two services report the new version
  easymo.deploy.health_check:
    checks: "{{ ['wallet', 'vendor']
      | map('easymo.deploy.service_check', 'https://api.example.com/health/{service}', '2.0.0') | list }}"
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def service_check(
    service: str,
    url: str | t.Mapping[str, str],
    version: str = "",
    version_at: str = "version",
) -> dict[str, t.Any]:
    pattern = url if isinstance(url, str) else url[service]
    http: dict[str, t.Any] = {"url": pattern.replace("{service}", service), "status": [200]}
    if version and version_at:
        http["json"] = {version_at: version}
    return {"name": service, "kind": "http", "http": http}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_check": service_check}
