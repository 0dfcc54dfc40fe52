# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a host with its URL into a check for health_check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: url_check
short_description: A health check of a host by its URL
version_added: 0.3.0
author: EasyMO (@easymo)
description:
  - Turns one entry of P(easymo.deploy.host_values#filter) into one of the option C(checks) of
    M(easymo.deploy.health_check), which passes when the URL answers 200.
options:
  _input:
    description: The C(host), which names the check, and its C(url).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Call the health endpoints of all services of the batch
  easymo.deploy.health_check:
    checks: "{{ ansible_play_batch | easymo.deploy.host_values(hostvars, {'url': 'health_url'})
      | map('easymo.deploy.url_check') | list }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def url_check(host: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {"name": host["host"], "kind": "http", "http": {"url": host["url"], "status": [200]}}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"url_check": url_check}
