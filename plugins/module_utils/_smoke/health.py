# SPDX-License-Identifier: GPL-3.0-or-later
"""Components as M(easymo.deploy.health_check) looks at them, all in one test."""

from __future__ import annotations

from .._checks.kinds import checks_options, libraries
from .._checks.run import check_all
from .models import Finding, Kind, Row, Status, together


def run(options: Row) -> Finding:
    outcomes = check_all(options)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [one for one in outcomes if not one.passed]
    if wrong:
        status: Status = "fail" if any(one.known for one in wrong) else "hold"
        return Finding(status, " ".join(f"{one.name}: {one.detail}" for one in wrong), steps)
    return Finding("pass", together([f"{one.name}: {one.detail}" for one in outcomes]), steps)


KIND = Kind(
    run,
    checks_options(),
    libraries=lambda options: libraries(entry["kind"] for entry in options["checks"]),
    intention=lambda options: f"would ask {', '.join(one['name'] for one in options['checks'])}",
)
