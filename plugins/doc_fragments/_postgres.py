# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._database import DATABASE
from ._libraries import POSTGRES_CLIENT


class ModuleDocFragment:
    DOCUMENTATION: str = f"""{POSTGRES_CLIENT}
options:
{indent(DATABASE, " " * 2)}"""
