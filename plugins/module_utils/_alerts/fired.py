# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts that fire or fired: in words, from Prometheus's own series of them, and in the record of a release. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import asdict
from datetime import datetime

from .._time import UTC, format_time
from .plan import Alerts, FiredAlert, Labels

KEPT = 50
"""How many alerts a record keeps."""
_OWN = ("__name__", "alertname", "alertstate", "severity", "notify")
"""Labels that tell nothing about what an alert is about."""

Body = t.Mapping[str, t.Any]
Course = t.Sequence[tuple[Labels, t.Sequence[float]]]
"""Of each alert its labels, and when it was seen firing, in seconds since 1970 and in their order."""


def subject(labels: Labels) -> str:
    """What the alert is about, by the labels that its query gave it: service=wallet-service."""
    return ", ".join(f"{name}={labels[name]}" for name in sorted(labels) if name not in _OWN)


def moment(seconds: float | None) -> str:
    """Of seconds since 1970, as RFC 3339; "" for what nobody knows."""
    return "" if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))


def describe(name: str, labels: Labels, since: str) -> str:
    about = subject(labels)
    return f"{name}{f' ({about})' if about else ''}{f' since {since}' if since else ''}"


def identity(labels: Labels) -> tuple[str, str]:
    return labels.get("alertname", ""), subject(labels)


def fired(
    course: Course, firing: t.Collection[tuple[str, str]], apart: float
) -> tuple[FiredAlert, ...]:
    """The oldest first. `firing` still do. Seen more than `apart` seconds apart, an alert fired twice."""
    found: list[FiredAlert] = []
    for labels, times in course:
        spans: list[list[float]] = []
        for at in times:
            if spans and at - spans[-1][1] <= apart:
                spans[-1][1] = at
            else:
                spans.append([at, at])
        for number, (since, until) in enumerate(spans, 1):
            still = number == len(spans) and identity(labels) in firing
            name, about = identity(labels)
            ended = "" if still else moment(until)
            found.append(FiredAlert(name, labels.get("severity", ""), moment(since), ended, about))
    return tuple(sorted(found, key=lambda one: one.since))


def to_record(alerts: Alerts) -> dict[str, t.Any]:
    """As the record keeps it, the newest where there are too many."""
    kept = [asdict(one) for one in alerts.fired[-KEPT:]]
    return {"looked": alerts.looked, "fired": kept, "why_not": alerts.why_not}


def from_record(body: t.Any) -> Alerts:
    """Of which nothing is certain: a person may have written it."""
    kept = body if isinstance(body, dict) else {}
    listed = kept.get("fired")
    return Alerts(
        looked=kept.get("looked") is True,
        fired=tuple(
            FiredAlert(
                **{name: str(one.get(name) or "") for name in FiredAlert.__dataclass_fields__}
            )
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, dict)
        ),
        why_not=str(kept.get("why_not") or ""),
    )


def alerts_of(record: Body) -> Alerts:
    """What fired during the release and the steps of its ramp, by a record as JSON."""
    facts = record.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    found = from_record(facts.get("alerts"))
    watches = facts.get("ramp_watches")
    for watch in (watches if isinstance(watches, dict) else {}).values():
        if isinstance(watch, dict) and watch.get("alerts"):
            found = joined(found, from_record(watch["alerts"]))
    return found


def joined(known: Alerts, seen: Alerts) -> Alerts:
    """What was known, and what a later look saw. The later one knows more of an alert that both have."""
    merged = list(known.fired)
    for one in seen.fired:
        same = next((at for at, other in enumerate(merged) if _same(other, one)), None)
        if same is None:
            merged.append(one)
        else:
            since = min(merged[same].since, one.since)
            merged[same] = FiredAlert(one.name, one.severity, since, one.until, one.subject)
    return Alerts(seen.looked, tuple(sorted(merged, key=lambda one: one.since)), seen.why_not)


def _same(known: FiredAlert, seen: FiredAlert) -> bool:
    """Whether both are the same alert at overlapping times."""
    if (known.name, known.subject) != (seen.name, seen.subject):
        return False
    return (not known.until or seen.since <= known.until) and (
        not seen.until or known.since <= seen.until
    )
