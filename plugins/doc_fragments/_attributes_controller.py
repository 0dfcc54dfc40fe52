# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    description: Runs in the controller when the connection is local, which spares each host its own start of Python.
    support: full
  async:
    description: Can be started with C(async).
    support: none
"""
