# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for a test that passed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pass_line
short_description: One line for a test that passed
version_added: 0.1.0
author: EasyMO (@easymo)
description: Words a passed test as the runbook's smoke test does.
options:
  _input:
    description: A dictionary with C(name), what was tested, and C(detail), what was seen.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show a result
  ansible.builtin.debug:
    msg: "{{ {'name': 'Payment', 'detail': 'order 7 paid'} | easymo.deploy.pass_line }}"
"""

RETURN = r"""
_value:
  description: The line.
  type: str
"""

import typing as t


def pass_line(result: dict[str, str]) -> str:
    return f"✅ {result['name']}: PASS ({result['detail']})"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"pass_line": pass_line}
