# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations

from textwrap import indent

from ._database import DATABASE


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
{indent(DATABASE, " " * 2)}"""
