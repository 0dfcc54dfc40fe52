# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of one service for health_check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_check
short_description: The health check of a service, and of the version that it reports
version_added: 0.1.0
author: Maintainers of easymo.deploy (@easymo)
description: Turns a service's name into one entry of the option C(checks) of M(easymo.deploy.health_check).
positional: health, version, version_at
options:
  _input:
    description: Name of the service.
    type: str
    required: true
  health:
    description:
      - The check of each service by its name, as P(easymo.deploy.service_health#filter) makes them; or one URL for all,
        with C({service}) for the name.
    type: raw
    required: true
  version:
    description: The version that a service must report that is asked at an address. Any when not given.
    type: str
    default: ""
  version_at:
    description:
      - Where in the answer the version is, in JMESPath (U(https://jmespath.org)). Empty, and the answer has no version.
    type: str
    default: version
    version_added: 0.2.0
  form:
    description: Whether any version passes that is written as O(version) is, with or without a C(v) before it.
    type: bool
    default: false
    version_added: 0.3.0
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
    health: str | t.Mapping[str, t.Mapping[str, t.Any]],
    version: str = "",
    version_at: str = "version",
    form: bool = False,
) -> dict[str, t.Any]:
    if isinstance(health, str):
        url = health.replace("{service}", service)
        check: t.Mapping[str, t.Any] = {"name": service, "kind": "http", "http": {"url": url}}
    else:
        check = health[service]
    if check["kind"] != "http" or not (version and version_at):
        return {**check}
    http = check["http"]
    if form:
        prefixed = "true" if version.startswith("v") else "false"
        like = f"starts_with(to_string({version_at}), 'v') == `{prefixed}`"
        return {**check, "http": {**http, "holds": [*http.get("holds", ()), version_at, like]}}
    return {**check, "http": {**http, "json": {**http.get("json", {}), version_at: version}}}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_check": service_check}
