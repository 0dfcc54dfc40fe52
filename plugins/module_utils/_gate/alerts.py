# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How many of the release's alerts fire or fired a moment ago, and all that fired since a moment."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._alerts.api import AlertsApi
from .._alerts.fired import Course, describe, fired, identity, joined, moment
from .._alerts.models import Alerts, Labels, LoadedRule
from .._errors import DeployError
from .models import Sample, SampleStatus, failed_sample

GATE = "gate"
"""The annotation of a rule that says what a release does when the alert fires."""
ROLLBACK, NOTE = "rollback", "note"
"""Its values beside hold, which is also for what is none of them: go back, and only keep it in the record."""
_APART = 90.0
"""Seconds between two evaluations beyond which an alert fired twice: groups are evaluated at least once a minute."""
_LONGEST = 3 * 86400.0
"""Seconds that are looked back at most."""


@dataclass(frozen=True)
class AlertsSource:
    """`window`: an alert that ended within so many seconds counts too, but never goes back."""

    api: AlertsApi
    names: tuple[str, ...]
    window: float

    def sample(self, _query: str) -> Sample:
        """What is not loaded or not evaluated cannot fire, so it is a missing sample."""
        try:
            rules = self.loaded()
            course = self.api.firing_times(self.names, self.window)
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        blind = self.blindness(rules)
        if blind:
            return failed_sample(blind)
        return judged(rules, course)

    def loaded(self) -> dict[str, LoadedRule]:
        """Those of its rules that Prometheus has, by name."""
        return {rule.name: rule for rule in self.api.rules() if rule.name in self.names}

    def blindness(self, rules: t.Mapping[str, LoadedRule]) -> str:
        """Which alerts could not fire, "" for none."""
        blind = [name for name in self.names if name not in rules]
        if blind:
            return f"Prometheus has no alert {', '.join(map(repr, blind))} loaded"
        blind = [rule.name for rule in rules.values() if rule.health != "ok"]
        return f"Prometheus does not evaluate {', '.join(map(repr, blind))}" if blind else ""

    def since(self, begun: float, known: Alerts, wall: t.Callable[[], float] = time.time) -> Alerts:
        """All that fired since then, with what was known before. Whatever was out of sight is told."""
        now = wall()
        begun = max(begun, now - _LONGEST)
        try:
            firing = {
                identity(one.labels) for rule in self.loaded().values() for one in rule.firing
            }
            course = self.api.firing_times(self.names, now - begun)
            outages = self.api.outages(begun, now)
        except DeployError as exc:
            return replace(known, looked=False, why_not=str(exc).rstrip("."))
        told = ", ".join(f"{moment(since)} to {moment(until)}" for since, until in outages)
        why_not = f"Prometheus kept nothing from {told}" if told else ""
        seen = Alerts(not outages, fired(course, firing, _APART), why_not)
        return joined(known, seen)


def judged(rules: t.Mapping[str, LoadedRule], course: Course) -> Sample:
    """The number of alerts that count, and the worst of them."""
    firing = {
        identity({"alertname": rule.name, **one.labels}): (rule, one.labels, one.since)
        for rule in rules.values()
        for one in rule.firing
        if _gate(rule) != NOTE
    }
    ended = {
        identity(labels): (labels, times[-1])
        for labels, times in course
        if identity(labels) not in firing
        and labels.get("alertname") in rules
        and _gate(rules[labels["alertname"]]) != NOTE
    }
    told = [f"{_told(rule.name, labels, since)} fires" for rule, labels, since in firing.values()]
    told += [
        f"{describe(labels['alertname'], labels, '')} fired until {moment(last)}"
        for labels, last in ended.values()
    ]
    if not told:
        return Sample(0.0)
    back = any(_gate(rule) == ROLLBACK for rule, _labels, _since in firing.values())
    status = SampleStatus.BREACH if back else SampleStatus.BETWEEN
    return Sample(float(len(told)), note="; ".join(told), judged=status.value)


def _told(name: str, labels: Labels, since: float | None) -> str:
    return describe(name, labels, moment(since))


def _gate(rule: LoadedRule) -> str:
    return rule.annotations.get(GATE, "").strip()
