# SPDX-License-Identifier: GPL-3.0-or-later
"""Make causes of what was looked at. What could not be looked at is no cause, and ends none. Pure."""

from __future__ import annotations

import typing as t

from .._alerts.fired import describe, identity, moment
from .._alerts.plan import LoadedRule
from .._flags.pods import RUNNING, STALE, PodState
from .._gate.models import Metric, Reason, Sample
from .._gate.prometheus import GATE, NOTE, ROLLBACK
from .._kill_switch.consumer import ConsumerState
from .._lock.models import Lock
from .._lock.plan import UNLOCK
from .._lock.plan import describe as describe_lock
from .models import (
    ALERT,
    IGNORE,
    KILL_SWITCH,
    LOCK,
    METRIC,
    PODS,
    SIGHT,
    STEP_DOWN,
    TELL,
    GuardCause,
    Rules,
)

GUARD = "guard"
"""The annotation of an alerting rule with the guard's action when it fires."""
_BY_GATE = {ROLLBACK: STEP_DOWN, NOTE: IGNORE}
"""The guard's action for a rule with only a release's action."""


def of_alerts(rules: t.Iterable[LoadedRule]) -> list[GuardCause]:
    """Causes of the firing alerts. Pending and resolved alerts are no cause."""
    fired: list[GuardCause] = []
    for rule in rules:
        calls_for = called_for(rule)
        for alert in rule.firing if calls_for != IGNORE else ():
            name, about = identity({"alertname": rule.name, **alert.labels})
            key = f"{ALERT} {name}{f' ({about})' if about else ''}"
            description = describe(rule.name, alert.labels, moment(alert.since))
            fired.append(GuardCause(key, calls_for, f"{description} fires"))
    return fired


def called_for(rule: LoadedRule) -> str:
    action = rule.annotations.get(GUARD, "").strip()
    if action in (STEP_DOWN, KILL_SWITCH, TELL, IGNORE):
        return action
    # An unknown word must not silence an alert.
    return _BY_GATE.get(rule.annotations.get(GATE, "").strip(), TELL)


def of_metrics(reasons: t.Iterable[Reason]) -> list[GuardCause]:
    return [GuardCause(f"{METRIC} {reason.metric}", STEP_DOWN, reason.text) for reason in reasons]


def unseen_since(
    before: t.Mapping[str, float], samples: t.Mapping[str, Sample], now: float
) -> dict[str, float]:
    """The time since which each metric's source fails. A source without data, as at night, does not fail."""
    return {name: before.get(name, now) for name, sample in samples.items() if sample.error}


def of_blindness(
    unseen: t.Mapping[str, float], samples: t.Mapping[str, Sample], rules: Rules, now: float
) -> list[GuardCause]:
    blind = sorted(name for name, since in unseen.items() if now - since >= rules.blind_after)
    if not blind:
        return []
    since = min(unseen[name] for name in blind)
    why = samples[blind[0]].problem
    text = f"{', '.join(blind)} could not be seen since {moment(since)} ({why})"
    return [GuardCause(SIGHT, TELL, text)]


def of_lock(lock: Lock | None, *, dead: bool, unchanged_for: float) -> list[GuardCause]:
    """`dead`: its run ended. `unchanged_for`: seconds without a new renewal on our clock, as clocks differ."""
    if lock is None or not lock.holder or lock.manual:
        return []
    if not dead and not 0 < lock.duration < unchanged_for:
        return []
    text = f"{describe_lock(lock)}, and the run that took it is gone: run {UNLOCK}"
    return [GuardCause(f"{LOCK} {lock.fence}", TELL, text)]


def of_pods(consumers: t.Iterable[ConsumerState]) -> list[GuardCause]:
    """The cause of pods that run with other flags than those that are set."""
    stale = [pod for consumer in consumers for pod in consumer.pods if pod.state == STALE]
    if not stale:
        return []
    pods = ", ".join(f"pod {pod.pod} ({pod.detail})" for pod in stale)
    return [GuardCause(PODS, TELL, f"not with the flags that are set: {pods}")]


def unknown_pods(consumers: t.Sequence[ConsumerState]) -> bool:
    """Whether the flags of a pod are unknown."""
    return any(
        not consumer.listed or any(pod.state in RUNNING and not pod.values for pod in consumer.pods)
        for consumer in consumers
    )


def run_more(
    consumers: t.Iterable[ConsumerState], flag: str, enabled_by: str, wanted: t.Mapping[str, str]
) -> bool:
    """Whether a pod gives the feature to more users than the flags that are set."""
    return any(
        pod.state == STALE and _more(pod, flag, enabled_by, wanted)
        for consumer in consumers
        for pod in consumer.pods
    )


def _more(pod: PodState, flag: str, enabled_by: str, wanted: t.Mapping[str, str]) -> bool:
    off = wanted.get(enabled_by, "true").lower() not in ("true", "1", "yes", "on")
    if off and (pod.values.get(enabled_by) or "").lower() in ("true", "1", "yes", "on"):
        return True
    ours, theirs = wanted.get(flag, "0"), pod.values.get(flag) or "0"
    # An invalid value may be any percentage: replacing it by the set flags can only take users out.
    return ours.isdigit() and (not theirs.isdigit() or int(theirs) > int(ours))


def hidden_by(
    metrics: t.Iterable[Metric], samples: t.Mapping[str, Sample], *, alerts: bool, pods: bool
) -> frozenset[str]:
    """The kinds and keys without an observation. `alerts` and `pods`: whether these were observed."""
    missing = {
        f"{METRIC} {metric.name}"
        for metric in metrics
        if metric.name not in samples or samples[metric.name].value is None
    }
    kinds = {kind for kind, known in ((ALERT, alerts), (PODS, pods)) if not known}
    return frozenset(missing | kinds)
