# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Only reads, so it does the same in check mode.
    support: full
  diff_mode:
    description: Only reads, so there is no difference to report.
    support: N/A
  idempotent:
    description: Never reports a change.
    support: full
"""
