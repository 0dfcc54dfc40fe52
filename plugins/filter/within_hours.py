# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether it is one of the hours of the day that are meant, somewhere in the world."""

from __future__ import annotations

DOCUMENTATION = r"""
name: within_hours
short_description: Whether a time is within hours of the day
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Tells whether now, or O(at), is at or after C(from) and before C(until) in the time zone C(timezone).
  - Hours that end before they begin go over midnight. No hours at all are any hour.
options:
  _input:
    description: The hours, with C(from) and C(until) such as V(20:00), and C(timezone), by default UTC.
    type: dict
    required: true
  at:
    description: Another time than now, as ISO 8601.
    type: str
"""

EXAMPLES = r"""
- name: Page by night
  ansible.builtin.debug:
    msg: Somebody has to get up.
  when: "{'from': '20:00', 'until': '07:00', 'timezone': 'Africa/Nairobi'} | easymo.deploy.within_hours"
"""

RETURN = r"""
_value:
  description: Whether it is.
  type: bool
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import InputError
from ..module_utils._time import is_within, moment_of, now


def within_hours(hours: t.Mapping[str, t.Any], at: str = "") -> bool:
    if not hours:
        return True
    try:
        return is_within(hours, moment_of(at) if at else now())
    except InputError as exc:
        raise AnsibleFilterError(f"within_hours: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"within_hours": within_hours}
