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
    Cause,
    Rules,
)

GUARD = "guard"
"""The annotation of an alerting rule that says what the guard does when it fires."""
_BY_GATE = {ROLLBACK: STEP_DOWN, NOTE: IGNORE}
"""What it does where a rule says only what a release does."""


def of_alerts(rules: t.Iterable[LoadedRule]) -> list[Cause]:
    """Of the alerts that fire now. Pending ones, and those that ended, are none."""
    found: list[Cause] = []
    for rule in rules:
        calls_for = called_for(rule)
        for one in rule.firing if calls_for != IGNORE else ():
            name, about = identity({"alertname": rule.name, **one.labels})
            key = f"{ALERT} {name}{f' ({about})' if about else ''}"
            told = describe(rule.name, one.labels, moment(one.since))
            found.append(Cause(key, calls_for, f"{told} fires"))
    return found


def called_for(rule: LoadedRule) -> str:
    said = rule.annotations.get(GUARD, "").strip()
    if said in (STEP_DOWN, KILL_SWITCH, TELL, IGNORE):
        return said
    # A word that is none of them must not keep an alert quiet.
    return _BY_GATE.get(rule.annotations.get(GATE, "").strip(), TELL)


def of_metrics(reasons: t.Iterable[Reason]) -> list[Cause]:
    return [Cause(f"{METRIC} {one.metric}", STEP_DOWN, one.text) for one in reasons]


def unseen_since(
    before: t.Mapping[str, float], seen: t.Mapping[str, Sample], now: float
) -> dict[str, float]:
    """By metric since when its source fails. Having nothing to tell, as at night, is no failure."""
    return {name: before.get(name, now) for name, one in seen.items() if one.error}


def of_blindness(
    unseen: t.Mapping[str, float], seen: t.Mapping[str, Sample], rules: Rules, now: float
) -> list[Cause]:
    blind = sorted(name for name, since in unseen.items() if now - since >= rules.blind_after)
    if not blind:
        return []
    since = min(unseen[name] for name in blind)
    why = seen[blind[0]].problem
    text = f"{', '.join(blind)} could not be seen since {moment(since)} ({why})"
    return [Cause(SIGHT, TELL, text)]


def of_lock(lock: Lock | None, *, dead: bool, unchanged_for: float) -> list[Cause]:
    """`dead`: its run ended. `unchanged_for`: seconds for which our looks saw the same renewal, as clocks differ."""
    if lock is None or not lock.holder or lock.manual:
        return []
    if not dead and not 0 < lock.duration < unchanged_for:
        return []
    text = f"{describe_lock(lock)}, and the run that took it is gone: run {UNLOCK}"
    return [Cause(f"{LOCK} {lock.fence}", TELL, text)]


def of_pods(consumers: t.Iterable[ConsumerState]) -> list[Cause]:
    """Of pods that run with other flags than those that are set."""
    stale = [pod for one in consumers for pod in one.pods if pod.state == STALE]
    if not stale:
        return []
    told = ", ".join(f"pod {one.pod} ({one.detail})" for one in stale)
    return [Cause(PODS, TELL, f"not with the flags that are set: {told}")]


def unknown_pods(consumers: t.Sequence[ConsumerState]) -> bool:
    """Whether there are pods of which nobody knows what they run with."""
    return any(
        not one.listed or any(pod.state in RUNNING and not pod.values for pod in one.pods)
        for one in consumers
    )


def run_more(
    consumers: t.Iterable[ConsumerState], flag: str, enabled_by: str, wanted: t.Mapping[str, str]
) -> bool:
    """Whether a pod gives the feature to more users than the flags that are set."""
    return any(
        pod.state == STALE and _more(pod, flag, enabled_by, wanted)
        for one in consumers
        for pod in one.pods
    )


def _more(pod: PodState, flag: str, enabled_by: str, wanted: t.Mapping[str, str]) -> bool:
    off = wanted.get(enabled_by, "true").lower() not in ("true", "1", "yes", "on")
    if off and (pod.values.get(enabled_by) or "").lower() in ("true", "1", "yes", "on"):
        return True
    ours, theirs = wanted.get(flag, "0"), pod.values.get(flag) or "0"
    # A value that is no number may be any: bringing it to the flags that are set takes out users, if anybody.
    return ours.isdigit() and (not theirs.isdigit() or int(theirs) > int(ours))


def hidden_by(
    metrics: t.Iterable[Metric], seen: t.Mapping[str, Sample], *, alerts: bool, pods: bool
) -> frozenset[str]:
    """What this look tells nothing of. `alerts` and `pods`: whether these were seen."""
    missing = {
        f"{METRIC} {one.name}"
        for one in metrics
        if one.name not in seen or seen[one.name].value is None
    }
    kinds = {kind for kind, known in ((ALERT, alerts), (PODS, pods)) if not known}
    return frozenset(missing | kinds)
