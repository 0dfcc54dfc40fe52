# SPDX-License-Identifier: GPL-3.0-or-later
"""A launch window in words."""

from __future__ import annotations

DOCUMENTATION = r"""
name: launch_window
short_description: A launch window in words
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Words the hours of a launch window as an announcement tells them, in its own time zone.
  - When it is closed now and does not open within the hour, the announcement is of a release that somebody lets begin
    outside of it, and that is told.
options:
  _input:
    description: The window, as the kind C(launch_window) of M(easymo.deploy.preflight_check) takes it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell when it is
  ansible.builtin.debug:
    msg: "{{ {'timezone': 'Africa/Nairobi', 'start': '09:00', 'end': '11:00'} | easymo.deploy.launch_window }}"
"""

RETURN = r"""
_value:
  description: >-
    For example V(09:00 AM - 11:00 AM EAT), V(any time) for one that is open all day, or
    V(from 03:20 PM EAT on, outside of the launch window).
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import InputError
from ..module_utils._time import now
from ..module_utils._window import for_people, read_window


def launch_window(window: t.Mapping[str, t.Any]) -> str:
    try:
        return for_people(read_window(window), now())
    except InputError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"launch_window": launch_window}
