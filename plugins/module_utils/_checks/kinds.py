# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks of a preflight, and of smoke tests.

Components and exchanges with a webhook, in preflight and as one smoke test.

Both look as M(easymo.deploy.health_check) does.
"""

from __future__ import annotations

import typing as t

from .._errors import Library
from .._http import REQUESTS
from .._module import refuse_twice
from .._postgres import PSYCOPG2
from . import cluster, database, documents, git, metrics, models, payment, people, release, web
from .health import check_all, libraries
from .models import Check, Finding, Ground, Kind, Kinds, Options, failed, held, passed, together
from .webhook import check_webhook, check_without_messages


def look_health(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    """A row for each component."""
    return [
        (passed if row.passed else failed if row.known else held)(row.detail, name=row.name)
        for row in check_all(options)
    ]


def play_health(options: Options) -> Finding:
    rows = check_all(options)
    steps = tuple(row.to_result() for row in rows)
    wrong = [row for row in rows if not row.passed]
    if wrong:
        judge = failed if any(row.known for row in wrong) else held
        return judge(" ".join(f"{row.name}: {row.detail}" for row in wrong), steps=steps)
    return passed(together([f"{row.name}: {row.detail}" for row in rows]), steps=steps)


def _libraries_of_health(options: Options) -> list[Library]:
    return libraries(models.read_checks(options["checks"]))


def look_webhook(options: Options, ground: Ground) -> Finding:
    """Whether it answers challenges and refuses what it must. No message is sent, so nobody is answered."""
    outcomes = check_without_messages({**options, "request_timeout": ground.timeout})
    wrong = [each for each in outcomes if not each.passed]
    if not wrong:
        return passed(f"{len(outcomes)} exchanges went as expected, none with a message")
    judge = failed if any(each.status for each in wrong) else held
    return judge("; ".join(f"{each.name}: {each.evidence}" for each in wrong))


def play_webhook(options: Options) -> Finding:
    outcomes = check_webhook(options, send_messages=True)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [each for each in outcomes if not each.passed]
    if wrong:
        # The platform's log may be late: that proves nothing against a message that was answered well.
        judge = held if all(each.unseen for each in wrong) else failed
        return judge("; ".join(f"{each.name}: {each.evidence}" for each in wrong), steps=steps)
    observed = together([f"{each.name}: {each.evidence}" for each in outcomes])
    return passed(observed, steps=steps)


def _messages(options: Options) -> str:
    sent = [f"{entry['text']!r} from {entry['from']}" for entry in options["messages"]]
    guards = ["the challenges and what must be refused"] if options["guards"] else []
    return f"would send {', '.join(guards + sent)}"


KINDS: Kinds = {
    "health": Kind(look_health, components=_libraries_of_health),
    "webhook": Kind(look_webhook, (REQUESTS,)),
}
TESTS: Kinds = {
    "health": Kind(
        play_health,
        components=_libraries_of_health,
        intention=lambda options: (
            f"would ask {', '.join(entry['name'] for entry in options['checks'])}"
        ),
    ),
    "webhook": Kind(
        play_webhook,
        (REQUESTS,),
        components=lambda options: [PSYCOPG2] if options["database"] else [],
        intention=_messages,
    ),
}


PREFLIGHT: Kinds = {
    **release.KINDS,
    **KINDS,
    **cluster.KINDS,
    **database.KINDS,
    **git.KINDS,
    **documents.KINDS,
    **web.KINDS,
    **metrics.KINDS,
    **people.KINDS,
}
SMOKE_TESTS: Kinds = {**TESTS, **payment.TESTS, **metrics.TESTS}


def read_preflight(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    checks = models.read_checks(entries)
    refuse_twice("Checks", checks)
    return checks


def read_tests(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    tests = models.read_checks(entries)
    refuse_twice("Smoke tests", tests)
    for test in tests:
        SMOKE_TESTS[test.kind].refuse(test.name, test.options)
    return tests
