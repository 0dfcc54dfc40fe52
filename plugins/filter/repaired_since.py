# SPDX-License-Identifier: GPL-3.0-or-later
"""The time up to which somebody may have put something right by hand."""

from __future__ import annotations

DOCUMENTATION = r"""
name: repaired_since
short_description: The time up to which somebody may have put something right by hand
version_added: 0.3.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - The later of the attempt's begin and of the end of the phase's last failure. What was seen before it, as a backup,
    may be of a state that somebody has corrected since.
options:
  _input:
    description: What M(easymo.deploy.release) returned when it opened the phase, or nothing.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Take a backup of what is there since the last failure
  easymo.deploy.pg_backup:
    name: shop
    release: 2.0.0
    max_age: 3600
    not_before: "{{ opened | easymo.deploy.repaired_since }}"
"""

RETURN = r"""
_value:
  description: A time in ISO 8601, empty where no attempt is known.
  type: str
  sample: "2026-11-24T06:10:00Z"
"""

import typing as t

from ..module_utils._release.models import repaired_since


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"repaired_since": repaired_since}
