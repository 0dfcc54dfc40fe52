# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Components as M(easymo.deploy.health_check) looks at them, a row for each."""

from __future__ import annotations

import typing as t

from .._checks.kinds import PROBES
from .._checks.models import Check
from .._checks.run import Patience, run_checks
from .models import Finding, Ground, Options, failed, passed


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    checks = [
        Check(entry["name"], entry["kind"], entry[entry["kind"]], entry["timeout"])
        for entry in options["checks"]
    ]
    outcomes = run_checks(checks, PROBES, Patience(options["wait_timeout"], options["wait_sleep"]))
    return [(passed if one.passed else failed)(f"{one.detail}", name=one.name) for one in outcomes]
