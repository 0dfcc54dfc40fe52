# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wait_timeout:
    description: Seconds to wait at most, measured on a monotonic clock.
    type: int
    default: 300
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
"""
