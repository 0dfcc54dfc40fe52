# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for a test, whatever came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pass_line
short_description: One line for a test
version_added: 0.1.0
author: Maintainers of easymo.deploy (@easymo)
description: Words the result of a test as the runbook's smoke test does.
options:
  _input:
    description:
      - A dictionary with C(name), what was tested, and C(detail), what was seen.
      - C(status) is V(pass) when it is missing, or V(fail), V(hold), V(skip) or V(planned). C(seconds) is told
        when it is there.
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

from ..module_utils._checks.smoke import line


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"pass_line": line}
