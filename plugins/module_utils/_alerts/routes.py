# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom Alertmanager tells of an alert, by its configured routes. Pure.

Routes, `continue` and time intervals as on https://prometheus.io/docs/alerting/latest/configuration/.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .plan import Labels

Config = t.Mapping[str, t.Any]
"""Alertmanager's own, as it shows it: without secrets."""
Silences = t.Sequence[t.Mapping[str, t.Any]]
"""As Alertmanager's API v2 lists them."""

NOTIFY = "notify"
"""The label of a rule that names the receiver which it is meant for."""
_MATCHER = re.compile(r"""\s*("(?:\\.|[^"\\])*"|[^=!~\s"]+)\s*(=~|!~|!=|=)\s*(.*?)\s*""", re.DOTALL)
_INTERVALS = ("mute_time_intervals", "active_time_intervals")


@dataclass(frozen=True)
class RouteEnd:
    """Where an alert ends. `intervals`: those in or outside of which that route tells nobody."""

    receiver: str
    intervals: tuple[str, ...] = ()


def stops(route: Config, labels: Labels, inherited: str = "") -> list[RouteEnd]:
    """Those of the alert below this route; empty where it does not match."""
    if not _matches(route, labels):
        return []
    receiver = str(route.get("receiver") or inherited)
    results: list[RouteEnd] = []
    for child in route.get("routes") or []:
        below = stops(child, labels, receiver)
        results += below
        if below and not child.get("continue"):
            break
    # Unlike the receiver, time intervals are of the very route.
    named = tuple(str(entry) for key in _INTERVALS for entry in route.get(key) or [])
    return results or [RouteEnd(receiver, named)]


def misrouted(config: Config, silences: Silences, name: str, labels: Labels) -> str:
    """Why nobody, or somebody else, hears of the alert that has these labels; empty when all is well."""
    labels = {**labels, "alertname": name}
    result = stops(config.get("route") or {}, labels)
    receivers = {str(receiver.get("name")): receiver for receiver in config.get("receivers") or []}
    wanted = labels.get(NOTIFY) or result[0].receiver
    if wanted not in receivers:
        known = ", ".join(map(repr, receivers)) or "none"
        return f"Alertmanager has no receiver {wanted!r} for {name!r}: it has {known}"
    if not _integrated(receivers[wanted]):
        return f"the receiver {wanted!r} of {name!r} has no integration, so it tells nobody"
    ending = [entry for entry in result if entry.receiver == wanted]
    if not ending:
        others = " and ".join(dict.fromkeys(repr(entry.receiver) for entry in result))
        return f"Alertmanager's routes take {name!r} to {others} and not to {wanted!r}"
    if all(entry.intervals for entry in ending):
        return (
            f"the route of {name!r} to {wanted!r} is muted by {', '.join(ending[0].intervals)}, "
            "so sometimes it tells nobody"
        )
    silence = next((entry for entry in silences if _silences(entry, labels)), None)
    if silence:
        return (
            f"{name!r} is silenced until {silence.get('endsAt')} by {silence.get('createdBy')} "
            f"({silence.get('comment')})"
        )
    return ""


def _integrated(receiver: Config) -> bool:
    return any(key.endswith("_configs") and value for key, value in receiver.items())


def _matches(route: Config, labels: Labels) -> bool:
    exact = (route.get("match") or {}).items()
    patterns = (route.get("match_re") or {}).items()
    return (
        all(labels.get(name, "") == str(value) for name, value in exact)
        and all(_full(str(value), labels.get(name, "")) for name, value in patterns)
        and all(_holds(str(matcher), labels) for matcher in route.get("matchers") or [])
    )


def _holds(matcher: str, labels: Labels) -> bool:
    match = _MATCHER.fullmatch(matcher)
    if match is None:
        return False
    name, operator, value = _unquoted(match[1]), match[2], _unquoted(match[3])
    have = labels.get(name, "")
    equal = _full(value, have) if "~" in operator else have == value
    return equal != operator.startswith("!")


def _silences(silence: t.Mapping[str, t.Any], labels: Labels) -> bool:
    if (silence.get("status") or {}).get("state") != "active":
        return False
    return all(
        (_full(str(matcher["value"]), have) if matcher.get("isRegex") else have == matcher["value"])
        == matcher.get("isEqual", True)
        for matcher in silence.get("matchers") or []
        for have in [labels.get(matcher["name"], "")]
    )


def _full(pattern: str, text: str) -> bool:
    """Anchored, as Alertmanager does. What Python does not read as a pattern matches nothing."""
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except re.error:
        return False


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')
