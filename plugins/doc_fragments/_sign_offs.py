# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

REQUIRED = r"""name:
  description: The sign-off's name.
  type: str
  required: true
what:
  description: The line of the checklist that is signed.
  type: str
  required: true
of:
  description: Who should sign it, in words.
  type: str
  default: ""
section:
  description: The section of the checklist.
  type: str
  default: ""
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  required:
    suboptions:
{indent(REQUIRED, " " * 6)}"""
