# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of one module as part of an option of another."""

from __future__ import annotations

import re
from textwrap import indent


def nested(options: str, spaces: int, at: str) -> str:
    """So many spaces in, and naming each other by the path `at`. The release they came with is that of the whole."""
    unversioned = re.sub(r"^ *version_added: .*\n", "", options, flags=re.MULTILINE)
    return indent(unversioned.replace("O(", f"O({at}."), " " * spaces)
