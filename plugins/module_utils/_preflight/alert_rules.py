# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the release's alerts can fire, whoever they are for hears of them, and none fires now."""

from __future__ import annotations

import typing as t

from .._alerts.apply import Routing
from .._alerts.fired import describe, moment
from .._alerts.models import LoadedRule
from .._alerts.options import alerts_api, servers_options
from .._alerts.selectors import PODS, Selector, grouped_by, read_matchers, selectors
from .._http import REQUESTS
from .._monitoring_server import NO_SERIES
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    api = alerts_api(options, ground.timeout)
    loaded = {rule.name: rule for rule in api.rules()}
    if not loaded and not api.count("up"):
        return [held(f"Prometheus has {NO_SERIES}")]
    alerts = options["alerts"]
    mine = [loaded[name] for name in alerts if name in loaded]
    blind, later = unseen(mine, api.count, read_matchers(options["pods"]), options["new_metrics"])
    routing = Routing.read(api) if options["alertmanager"] else None
    misrouted = [why for rule in mine if routing and (why := routing.problem(rule))]
    return [judge(alerts, mine, [*blind, *misrouted], later, routed=routing is not None)]


def unseen(
    rules: t.Sequence[LoadedRule],
    count: t.Callable[[str], int],
    pods: t.Collection[str],
    new_metrics: t.Collection[str],
) -> tuple[list[str], list[str]]:
    """What the rules ask for and Prometheus has no series of, and which of it only comes with the release.

    A matcher beside those of the pods may choose what did not happen yet, such as an error, so it is left out.
    """
    wrong: list[str] = []
    later: list[str] = []
    for rule in rules:
        labels = grouped_by(rule.query)
        for selector in selectors(rule.query):
            why = _missing(selector, labels, count, pods)
            if not why:
                continue
            if selector.name in new_metrics:
                later.append(selector.name)
            else:
                wrong.append(f"{rule.name!r} can't fire: {why}")
    return list(dict.fromkeys(wrong)), list(dict.fromkeys(later))


def _missing(
    selector: Selector,
    labels: t.Sequence[str],
    count: t.Callable[[str], int],
    pods: t.Collection[str],
) -> str:
    metric = selector.among(pods) if set(selector.matchers) & set(pods) else selector
    if count(str(metric.having(labels))):
        return ""
    if labels and count(str(metric)):
        return f"Prometheus has no series of {metric} with the label {', '.join(labels)}"
    return f"Prometheus has no series of {metric}"


def judge(
    alerts: t.Sequence[str],
    rules: t.Sequence[LoadedRule],
    problems: t.Sequence[str] = (),
    later: t.Sequence[str] = (),
    *,
    routed: bool = False,
) -> Finding:
    """`rules`: those of the alerts that are loaded. `problems`: what else is wrong with them."""
    loaded = [rule.name for rule in rules]
    wrong = [f"Prometheus has no alert {name!r} loaded" for name in alerts if name not in loaded]
    wrong += [
        f"the query of {rule.name!r} fails: {rule.last_error or 'Prometheus does not say why'}"
        for rule in rules
        if rule.health == "err"
    ]
    wrong += problems
    if wrong:
        return failed(f"{'; '.join(wrong)}: see docs/alerts.md, and run playbooks/alert_rules.yml")
    firing = [
        describe(rule.name, alert.labels, moment(alert.since))
        for rule in rules
        for alert in rule.firing
    ]
    if firing:
        return failed(f"firing now: {'; '.join(firing)}: put that right before the release")
    waiting = [rule.name for rule in rules if rule.health != "ok"]
    if waiting:
        return held(f"{', '.join(waiting)} was not evaluated yet: wait for Prometheus")
    told = ", each reaches its receiver" if routed else ""
    new = f"; nothing of {', '.join(later)} is there before the release" if later else ""
    return passed(
        f"{len(rules)} alerts are loaded and evaluated, none fires, their series exist{told}{new}"
    )


KIND = Kind(
    look,
    {
        **servers_options(),
        "alerts": names(required=True),
        "pods": {"type": "str", "default": PODS},
        "new_metrics": names(),
    },
    (REQUESTS,),
)
