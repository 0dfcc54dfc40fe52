# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that ask for metrics: rules, series, one value, and a judgement as of a gate."""

from __future__ import annotations

import typing as t
from textwrap import indent

from .._alerts.api import NO_SERIES, AlertsApi, MonitoringServer, describe
from .._alerts.apply import Routing, alerts_api
from .._alerts.plan import LoadedRule, Selector, grouped_by, read_matchers, selectors
from .._doc_fragments import _metrics, _monitoring
from .._doc_fragments._module import nested
from .._errors import InputError
from .._formats import quantity
from .._gate.models import Metric, SampleStatus, Series, Verdict
from .._gate.options import ONE_LOOK, PROMETHEUS, read_metric, refuse_bad_input
from .._gate.sources import LIBRARIES, look, sources_of
from .._gate.state import Schedule
from .._gate.watch import run_watch
from .._http import REQUESTS
from .._time import Deadline, of_epoch
from .models import (
    CheckError,
    Finding,
    Ground,
    Kind,
    Kinds,
    NotKnownError,
    Options,
    failed,
    held,
    passed,
)


def look_alert_rules(options: Options, ground: Ground) -> Finding:
    """Whether the release's alerts can fire and reach their receivers, and none fires now."""
    api = alerts_api(options, ground.timeout)
    loaded = {rule.name: rule for rule in api.rules()}
    if not loaded and not api.count("up"):
        return held(f"Prometheus has {NO_SERIES}")
    alerts = options["alerts"]
    mine = [loaded[name] for name in alerts if name in loaded]
    blind, later = unseen(mine, api.count, read_matchers(options["pods"]), options["new_metrics"])
    routing = Routing.read(api) if options["alertmanager"] else None
    wrong = [f"Prometheus has no alert {name!r} loaded" for name in alerts if name not in loaded]
    wrong += [
        f"the query of {rule.name!r} fails: {rule.last_error or 'Prometheus does not say why'}"
        for rule in mine
        if rule.health == "err"
    ]
    wrong += blind
    wrong += [why for rule in mine if routing and (why := routing.problem(rule))]
    if wrong:
        return failed(f"{'; '.join(wrong)}: see docs/alerts.md, and run playbooks/alert_rules.yml")
    firing = [
        describe(rule.name, alert.labels, of_epoch(alert.since))
        for rule in mine
        for alert in rule.firing
    ]
    if firing:
        return failed(f"firing now: {'; '.join(firing)}: put that right before the release")
    waiting = [rule.name for rule in mine if rule.health != "ok"]
    if waiting:
        return held(f"{', '.join(waiting)} was not evaluated yet: wait for Prometheus")
    text = ", each reaches its receiver" if routing else ""
    new = f"; nothing of {', '.join(later)} is there before the release" if later else ""
    return passed(
        f"{len(mine)} alerts are loaded and evaluated, none fires, their series exist{text}{new}"
    )


def unseen(
    rules: t.Sequence[LoadedRule],
    count: t.Callable[[str], int],
    pods: t.Collection[str],
    new_metrics: t.Collection[str],
) -> tuple[list[str], list[str]]:
    """What the rules ask for and Prometheus has no series of, and which of it only comes with the release.

    A matcher beside those of the pods may choose what did not happen yet, such as an error, so it is left out.
    """
    wrong: dict[str, None] = {}
    later: dict[str, None] = {}
    for rule in rules:
        labels = grouped_by(rule.query)
        for selector in selectors(rule.query):
            metric = selector.among(pods) if set(selector.matchers) & set(pods) else selector
            why = missing(metric, labels, count)
            if why and selector.name in new_metrics:
                later[selector.name] = None
            elif why:
                wrong[f"{rule.name!r} can't fire: {why}"] = None
    return list(wrong), list(later)


def look_series(options: Options, ground: Ground) -> Finding:
    """Whether Prometheus understands queries and has series of everything that they ask for."""
    api = AlertsApi(MonitoringServer.from_params(options["prometheus"]), timeout=ground.timeout)
    if not api.count("up"):
        return failed(f"Prometheus has {NO_SERIES}")
    wrong: dict[str, str] = {}
    later: dict[str, None] = {}
    queries = queries_of(options["metrics"], options["service_errors"])
    for name, query in queries.items():
        try:
            api.formatted(query)
        except InputError as exc:
            wrong[name] = str(exc)
            continue
        for selector in selectors(query):
            why = missing(*without_events(selector, options["events"]), api.count)
            if why and selector.name in options["new_metrics"]:
                later[selector.name] = None
            elif why:
                wrong[name] = why
    if wrong:
        text = "; ".join(f"{name}: {why}" for name, why in wrong.items())
        return failed(f"Prometheus cannot answer {len(wrong)} of {len(queries)} queries: {text}")
    new = f"; {', '.join(later)} come with the release" if later else ""
    return passed(f"{len(queries)} queries are understood and have series{new}")


def queries_of(metrics: t.Iterable[Options], service_errors: str) -> dict[str, str]:
    """Every query of a release by name. Of metrics that compare cohorts, those of the users seen."""
    requested: dict[str, str] = {}
    for metric in metrics:
        name = metric["name"]
        if "query" in metric:
            requested[name] = metric["query"]
        else:
            requested |= {f"{name} ({who})": metric[who]["seen"] for who in ("treated", "control")}
        if "volume" in metric:
            requested[f"{name} (volume)"] = metric["volume"]["query"]
    return requested | ({"error rate by service": service_errors} if service_errors else {})


def missing(wanted: Selector, labels: t.Sequence[str], count: t.Callable[[str], int]) -> str:
    """What Prometheus has no series of that have these labels, whatever they say. Empty when it has some."""
    if count(str(wanted.having(labels))):
        return ""
    if labels and count(str(wanted)):
        return f"there are series of {wanted}, but none with the label {', '.join(labels)}"
    for left_out in wanted.matchers:
        rest = wanted.among([entry for entry in wanted.matchers if entry != left_out])
        if count(str(rest)):
            return f"there are series of {rest}, but none with {left_out}"
    return f"there is no series of {wanted}"


def without_events(
    selector: Selector, events: t.Collection[str]
) -> tuple[Selector, t.Sequence[str]]:
    """What a label of `events` says may not have happened yet, so of that only the label must be there."""
    happening = [matcher for matcher in selector.matchers if label_of(matcher) in events]
    lasting = [matcher for matcher in selector.matchers if matcher not in happening]
    return selector.among(lasting), [label_of(matcher) for matcher in happening]


def label_of(matcher: str) -> str:
    return matcher[: min(at for at in map(matcher.find, "=!") if at >= 0)]


def probe_metric(options: Options, timeout: float) -> str:
    """Ask Prometheus for a number, and judge it as a gate does at one look."""
    entry = {"name": "metric", "kind": PROMETHEUS, **options}
    source = sources_of({**options, "metrics": [entry], "query_timeout": timeout})["metric"]
    metric = read_metric(entry, ONE_LOOK)
    sample = look(source, metric)
    if sample.value is None:
        raise NotKnownError(f"There is no value of {metric.query!r} ({sample.problem}).")
    shown = quantity(sample.value, metric.unit)
    if metric.judge(sample) is not SampleStatus.GOOD:
        raise CheckError(
            f"{metric.query!r} gives {shown} and should give {metric.bounds.describe_good()}."
        )
    return shown


_WAIT_SLEEP = 2.0
"""Seconds between two looks while data are missing."""


def play_metrics(options: Options) -> Finding:
    """A definite breach fails, a value between its bounds holds, and so does what is missing after all that waiting."""
    wanted = [read_metric(entry, ONE_LOOK) for entry in options["metrics"]]
    refuse_bad_input({**options, **ONE_LOOK}, wanted)
    deadline = Deadline(options["wait_timeout"])
    while True:
        watch = run_watch(wanted, sources_of(options), Schedule(duration=0))
        series = [watch.state.series[metric.name] for metric in wanted]
        lacking = any(entry.value is None for entry in series)
        well = all(entry.value is None or entry.status is SampleStatus.GOOD for entry in series)
        if not (lacking and well) or deadline.left() < _WAIT_SLEEP:
            break
        deadline.sleep(_WAIT_SLEEP)
    steps = tuple(map(_metric_row, wanted, series))
    reasons = "; ".join(reason.text for reason in watch.decision.reasons)
    if watch.decision.verdict is Verdict.ROLLBACK:
        return failed(reasons, steps=steps)
    if watch.decision.verdict is Verdict.PROCEED:
        return passed(
            ", ".join(f"{step['name']} {step['evidence']}" for step in steps), steps=steps
        )
    if well and options["missing"] == "skip":
        return Finding("skip", f"no data is no pass: {reasons}", steps=steps)
    return held(reasons, steps=steps)


_OUTCOMES = {SampleStatus.GOOD: "pass", SampleStatus.BETWEEN: "fail", SampleStatus.BREACH: "fail"}


def _metric_row(metric: Metric, series: Series) -> dict[str, t.Any]:
    value, last = series.value, series.last
    shown = quantity(value, metric.unit)
    problem = f" ({last.problem})" if last and last.problem else ""
    return {
        "name": metric.name,
        "outcome": _OUTCOMES.get(series.status, "hold"),
        "value": value,
        "unit": metric.unit,
        "evidence": shown + problem,
    }


ALERT_RULES_OPTIONS = f"""  description:
    - Whether alerts are loaded in Prometheus and evaluated without errors, Prometheus has series of everything that
      their expressions ask for, and none of them fires.
    - With C(alertmanager), whether Alertmanager's routes take each to the receiver that its label C(notify) names,
      which has an integration, is in no route with time intervals, and is not silenced.
  suboptions:
{_monitoring.PROMETHEUS}    alertmanager:
      description: How Alertmanager is reached.
      type: dict
      suboptions:
{indent(_monitoring.SERVER, " " * 8)}    alerts:
      description: Names of the alerts.
      type: list
      elements: str
      required: true
    pods:
      description:
        - PromQL matchers of the pods of the release. What an expression asks for beside them may not have
          happened yet, such as an error.
      type: str
      default: job="pods"
    new_metrics:
      description: Names of metrics that only the release brings, so that there is no series of them before it.
      type: list
      elements: str
      default: []
"""
SERIES_OPTIONS = f"""  description: Whether Prometheus understands queries and has series of everything that
    they ask for.
  suboptions:
{_monitoring.PROMETHEUS}    metrics:
      description: Metrics as of M(easymo.deploy.metrics_gate), whose queries are asked.
      type: list
      elements: dict
      default: []
    service_errors:
      description: PromQL for the share of failing requests by service, if a diagnosis asks for it.
      type: str
      default: ""
    events:
      description:
        - Labels that tell what happened, such as a status. Of these only the label must be there, for it may not have
          happened yet. Every other matcher must find something.
      type: list
      elements: str
      default: []
    new_metrics:
      description: Names of metrics that only the release brings, so that there need not be series before it.
      type: list
      elements: str
      default: []
"""

KINDS: Kinds = {
    "alert_rules": Kind(look_alert_rules, ALERT_RULES_OPTIONS, (REQUESTS,)),
    "series": Kind(look_series, SERIES_OPTIONS, (REQUESTS,)),
}

METRIC_OPTIONS = f"""  description:
    - Ask Prometheus for one number. Without a value it is not known whether all is well, and the check does not pass.
  suboptions:
{_monitoring.PROMETHEUS}    query:
      description: PromQL that gives one series.
      type: str
      required: true
{nested(_metrics.GOOD + _metrics.VOLUME, 4, "")}"""

PROBES: Kinds = {"metric": Kind(probe_metric, METRIC_OPTIONS, (REQUESTS,))}

METRICS_OPTIONS = f"""  description:
    - Metrics as those of M(easymo.deploy.metrics_gate), each looked at once.
    - A value beyond its rollback bound fails the test, one between its bounds holds.
  suboptions:
{nested(_metrics.PROMETHEUS, 4, "tests[].metrics")}    metrics:
      description: What to look at.
      type: list
      elements: dict
      required: true
      suboptions:
{nested(_metrics.ONE_LOOK, 8, "tests[].metrics.metrics[]")}    wait_timeout:
      description: Seconds to wait for metrics without data, as long as all others are good.
      type: float
      default: 0
    missing:
      description: What a metric without data makes of the test when nothing else is wrong. It never passes.
      type: str
      choices: [hold, skip]
      default: hold
    query_timeout:
      description: Seconds to wait for the answer to one query.
      type: float
      default: 10
"""

TESTS: Kinds = {
    "metrics": Kind(
        play_metrics,
        METRICS_OPTIONS,
        components=lambda options: [LIBRARIES[entry["kind"]] for entry in options["metrics"]],
        intention=lambda options: (
            f"would sample {', '.join(metric['name'] for metric in options['metrics'])}"
        ),
    )
}
