# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a database's connection into a check of it, or of its certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_check
short_description: A check of a database, or of its certificate
version_added: 0.1.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Turns a name and a connection into one entry of the option C(checks) of M(easymo.deploy.health_check) or, with
    O(kind=certificate), of M(easymo.deploy.preflight_check).
options:
  _input:
    description:
      - A dictionary with C(key), the database, and C(value), the connection with the options C(login_*) and
        C(ca_cert), as P(ansible.builtin.dict2items#filter) makes it.
    type: dict
    required: true
  kind:
    description: What is checked.
    type: str
    choices: [postgres, certificate]
    default: postgres
    version_added: 0.3.0
  item:
    description: The line of the checklist that a certificate proves.
    type: str
    default: ""
    version_added: 0.3.0
"""

EXAMPLES = r"""
- name: Check two databases at once
  easymo.deploy.health_check:
    checks: "{{ {'orders': orders_connection, 'users': users_connection} | dict2items
      | map('easymo.deploy.database_check') | list }}"

- name: See for how long their certificates are valid
  easymo.deploy.preflight_check:
    release: 2.0.0
    checks: "{{ {'orders': orders_connection, 'users': users_connection} | dict2items
      | map('easymo.deploy.database_check', kind='certificate') | list }}"
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def database_check(
    database: dict[str, t.Any], kind: str = "postgres", item: str = ""
) -> dict[str, t.Any]:
    name, connection = database["key"], database["value"]
    if kind == "postgres":
        return {"name": name, "kind": kind, "postgres": connection}
    url = f"postgresql://{connection['login_host']}:{connection['login_port']}"
    options = {"url": url, "ca_cert": connection["ca_cert"]}
    return {"name": f"certificate_{name}", "item": item, "kind": kind, "certificate": options}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_check": database_check}
