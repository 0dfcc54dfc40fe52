# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How each kind of smoke test is run, which libraries it needs, and what it would do."""

from __future__ import annotations

import typing as t

from .._checks.kinds import libraries as check_libraries
from .._checks.run import check_all
from .._gate.models import Metric, SampleStatus, Verdict
from .._gate.options import read_metric, refuse_bad_input
from .._gate.series import Series
from .._gate.sources import LIBRARIES as METRIC_LIBRARIES
from .._gate.sources import sources_of
from .._gate.state import Schedule
from .._gate.watch import Watcher, WatchResult
from .._http import REQUESTS
from .._library import Library
from .._postgres import PSYCOPG2
from .._webhook.check import check_webhook
from .models import Finding, Runner, SmokeTest, Status
from .payment import Purchase, play_payment
from .wallet import HttpWallets

Options = t.Mapping[str, t.Any]


def health(options: Options) -> Finding:
    outcomes = check_all(options)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [one for one in outcomes if not one.passed]
    if wrong:
        return Finding("fail", " ".join(f"{one.name}: {one.detail}" for one in wrong), steps)
    return Finding("pass", _together([f"{one.name}: {one.detail}" for one in outcomes]), steps)


def _together(details: list[str]) -> str:
    """All of a few, else their number: the steps have them all."""
    return ", ".join(details) if len(details) <= 2 else f"{len(details)} of {len(details)} well"


def webhook(options: Options) -> Finding:
    outcomes = check_webhook(options, send_messages=True)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [one for one in outcomes if not one.passed]
    if wrong:
        # The platform's log may be late: that proves nothing against a message that was answered well.
        status: Status = "hold" if all(one.unseen for one in wrong) else "fail"
        return Finding(status, "; ".join(f"{one.name}: {one.evidence}" for one in wrong), steps)
    return Finding("pass", _together([f"{one.name}: {one.evidence}" for one in outcomes]), steps)


def payment(options: Options) -> Finding:
    wallets = HttpWallets(
        options["api_url"], ca_cert=options["ca_cert"], timeout=options["request_timeout"]
    )
    purchase = Purchase(
        number=options["number"],
        vendor_id=str(options["vendor_id"]),
        amount=options["amount"],
        key=options["key"],
    )
    return play_payment(wallets, purchase, prove_key=options["prove_key"])


def metrics(options: Options) -> Finding:
    """One look. A definite breach fails, a value between its bounds holds, and so does what is missing."""
    wanted = [read_metric(entry, _ONE_LOOK) for entry in options["metrics"]]
    refuse_bad_input({**options, **_ONE_LOOK}, wanted)
    watch = Watcher(wanted, sources_of(options), report=lambda _look: None).run(
        Schedule(duration=0)
    )
    steps = tuple(_metric_row(metric, watch.series[metric.name]) for metric in wanted)
    seen = ", ".join(f"{step['name']} {step['evidence']}" for step in steps)
    reasons = "; ".join(reason.text for reason in watch.decision.reasons)
    if watch.decision.verdict is Verdict.ROLLBACK:
        return Finding("fail", reasons, steps)
    if watch.decision.verdict is Verdict.PROCEED:
        return Finding("pass", seen, steps)
    if options["missing"] == "skip" and _only_missing(wanted, watch):
        return Finding("skip", f"no data is no pass: {reasons}", steps)
    return Finding("hold", reasons, steps)


_ONE_LOOK = {"duration": 0, "initial_delay": 0, "breaches": 1, "max_missing": 0, "interval": 1}


def _only_missing(wanted: t.Sequence[Metric], watch: WatchResult) -> bool:
    """Whether every metric that has a value is good."""
    series = [watch.series[metric.name] for metric in wanted]
    return all(one.value is None or one.status is SampleStatus.GOOD for one in series)


_OUTCOMES = {
    SampleStatus.GOOD: "pass",
    SampleStatus.BETWEEN: "fail",
    SampleStatus.BREACH: "fail",
}


def _metric_row(metric: Metric, series: Series) -> dict[str, t.Any]:
    value, last = series.value, series.last
    shown = "no data" if value is None else f"{value:.3g} {metric.unit}".strip()
    problem = f" ({last.problem})" if last and last.problem else ""
    return {
        "name": metric.name,
        "outcome": _OUTCOMES.get(series.status, "hold"),
        "value": value,
        "unit": metric.unit,
        "evidence": shown + problem,
    }


RUNNERS: dict[str, Runner] = {
    "health": health,
    "webhook": webhook,
    "payment": payment,
    "metrics": metrics,
}


def libraries(tests: t.Iterable[SmokeTest]) -> list[Library]:
    """Those that the tests need, and no others."""
    found: list[Library] = []
    for test in tests:
        if test.kind == "health":
            found += check_libraries(entry["kind"] for entry in test.options["checks"])
        elif test.kind == "metrics":
            found += [METRIC_LIBRARIES[entry["kind"]] for entry in test.options["metrics"]]
        else:
            found.append(REQUESTS)
            found += [PSYCOPG2] if test.options.get("database") else []
    return list(dict.fromkeys(found))


def intention(test: SmokeTest) -> str:
    """What the test would do, for check mode."""
    options = test.options
    if test.kind == "health":
        return f"would ask {', '.join(entry['name'] for entry in options['checks'])}"
    if test.kind == "metrics":
        return f"would look once at {', '.join(entry['name'] for entry in options['metrics'])}"
    if test.kind == "payment":
        return f"would order for {options['amount']} and pay from the wallet of {options['number']}"
    sent = [f"{entry['text']!r} from {entry['from']}" for entry in options["messages"]]
    guards = ["the challenges and what must be refused"] if options["guards"] else []
    return f"would send {', '.join(guards + sent)}"
