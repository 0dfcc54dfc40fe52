# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanges with a webhook as M(easymo.deploy.webhook_check) has them, all in one test."""

from __future__ import annotations

from .._http import REQUESTS
from .._options import webhook_options
from .._postgres import PSYCOPG2
from .._webhook.check import check_webhook
from .models import Finding, Kind, Row, Status, together


def run(options: Row) -> Finding:
    outcomes = check_webhook(options, send_messages=True)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [one for one in outcomes if not one.passed]
    if wrong:
        # The platform's log may be late: that proves nothing against a message that was answered well.
        status: Status = "hold" if all(one.unseen for one in wrong) else "fail"
        return Finding(status, "; ".join(f"{one.name}: {one.evidence}" for one in wrong), steps)
    return Finding("pass", together([f"{one.name}: {one.evidence}" for one in outcomes]), steps)


def intention(options: Row) -> str:
    sent = [f"{entry['text']!r} from {entry['from']}" for entry in options["messages"]]
    guards = ["the challenges and what must be refused"] if options["guards"] else []
    return f"would send {', '.join(guards + sent)}"


KIND = Kind(
    run,
    webhook_options(),
    libraries=lambda options: [REQUESTS, PSYCOPG2] if options["database"] else [REQUESTS],
    intention=intention,
)
