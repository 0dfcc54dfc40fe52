# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a database's connection into a check for health_check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_check
short_description: A health check of a database
version_added: 0.1.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Turns a name and a connection into one entry of the option C(checks) of M(easymo.deploy.health_check).
options:
  _input:
    description:
      - A dictionary with C(key), what the check is called, and C(value), the connection with the options C(login_*) and
        C(ca_cert), as P(ansible.builtin.dict2items#filter) makes it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check two databases at once
  easymo.deploy.health_check:
    checks: "{{ {'orders': orders_connection, 'users': users_connection} | dict2items
      | map('easymo.deploy.database_check') | list }}"
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def database_check(database: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"name": database["key"], "kind": "postgres", "postgres": database["value"]}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_check": database_check}
