# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a database's connection into a check for health_check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_check
short_description: A health check of a database
version_added: 0.1.0
author: EasyMO (@easymo)
description: Turns a connection and a name into one entry of the O(easymo.deploy.health_check#module:checks) option.
positional: name
options:
  _input:
    description: The connection, with the options C(login_*) and C(ca_cert).
    type: dict
    required: true
  name:
    description: What the check is called.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check two databases at once
  easymo.deploy.health_check:
    checks:
      - "{{ orders_connection | easymo.deploy.database_check('orders') }}"
      - "{{ users_connection | easymo.deploy.database_check('users') }}"
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def database_check(connection: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    return {"name": name, "kind": "postgres", "postgres": connection}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_check": database_check}
