# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What of an inventory its owner still has to fill in."""

from __future__ import annotations

import typing as t

from .._variables.check import placeholders_told
from .models import Finding, Ground, Kind, Options, failed, passed


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    left = options["left"]
    return [failed(placeholders_told(left)) if left else passed("every value is filled in")]


KIND = Kind(look)
