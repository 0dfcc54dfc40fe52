# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._nested import nested
from ._s3 import S3


class ModuleDocFragment:
    DOCUMENTATION: str = r"""
options:
  s3:
    description: An object that the page is kept as besides, for people to open it.
    type: dict
    suboptions:
      key:
        description: Its key, behind the prefix.
        type: str
        required: true
""" + nested(S3, 6, "s3")
