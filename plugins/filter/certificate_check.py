# SPDX-License-Identifier: GPL-3.0-or-later
"""Reshape a database's connection into a check of its certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_check
short_description: A check of a database's certificate
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Turns a name and a connection into one entry of the option C(checks) of M(easymo.deploy.preflight_check).
options:
  _input:
    description:
      - A dictionary with C(key), the database, and C(value), the connection with the options C(login_*) and
        C(ca_cert), as P(ansible.builtin.dict2items#filter) makes it.
    type: dict
    required: true
  item:
    description: The line of the checklist that it proves.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: See for how long the certificates of two databases are valid
  easymo.deploy.preflight_check:
    release: 2.0.0
    checks: "{{ {'orders': orders_connection, 'users': users_connection} | dict2items
      | map('easymo.deploy.certificate_check') | list }}"
"""

RETURN = r"""
_value:
  description: The check.
  type: dict
"""

import typing as t


def certificate_check(database: dict[str, t.Any], item: str = "") -> dict[str, t.Any]:
    connection = database["value"]
    return {
        "name": f"certificate_{database['key']}",
        "item": item,
        "kind": "certificate",
        "certificate": {
            "url": f"postgresql://{connection['login_host']}:{connection['login_port']}",
            "ca_cert": connection["ca_cert"],
        },
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_check": certificate_check}
