# SPDX-License-Identifier: GPL-3.0-or-later
"""Components as M(easymo.deploy.health_check) looks at them, a row for each."""

from __future__ import annotations

import typing as t

from .._checks.kinds import checks_options, libraries
from .._checks.run import check_all
from .models import Finding, Ground, Kind, Options, failed, held, passed


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    return [
        (passed if one.passed else failed if one.known else held)(one.detail, name=one.name)
        for one in check_all(options)
    ]


KIND = Kind(
    look,
    checks_options(),
    components=lambda options: libraries(entry["kind"] for entry in options["checks"]),
)
