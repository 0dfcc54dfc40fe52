# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of messages, invitations and the deploy lock."""

from __future__ import annotations

import typing as t

from ..layout import one_line
from ..models import Fact, Group

CHANNELS: t.Mapping[str, str] = {
    "slack": "Slack",
    "statuspage": "status page",
    "email": "mail to",
    "pagerduty": "PagerDuty",
}

RESOLVED = "to resolve any incident"


def receivers(group: Group) -> list[str]:
    """Who got something, by channel; an incident's key and a status page's title say nothing to a reader."""
    found = []
    for item in group.items:
        for one in item.result.get("delivered") or ():
            channel = str(one.get("channel"))
            target = str(one.get("target") or "") if channel in ("slack", "email") else ""
            over = RESOLVED if one.get("action") == "resolve" else ""
            found.append(" ".join(filter(None, [CHANNELS.get(channel, channel), target, over])))
    return list(dict.fromkeys(found))


def still_told(receivers_in_turn: t.Iterable[str]) -> list[str]:
    """Each once, and nobody whose incident was resolved since."""
    told: dict[str, None] = {}
    for one in receivers_in_turn:
        if one.endswith(RESOLVED):
            told.pop(one.removesuffix(RESOLVED).strip(), None)
        else:
            told[one] = None
    return list(told)


def announced(group: Group) -> list[Fact]:
    told = receivers(group) if any(item.changed for item in group.items) else []
    facts = []
    if told:
        verb = "would tell " if group.would else ""
        facts.append(Fact("told", f"{verb}{' · '.join(told)}", "calm" if group.would else "good"))
    for item in group.items:
        for one in item.result.get("undelivered") or ():
            facts.append(Fact("not told", one_line(_undelivered(one)), "warn"))
    return facts


def _undelivered(one: t.Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    channel = CHANNELS.get(str(one.get("channel")), str(one.get("channel")))
    return f"{channel} {one.get('target') or ''}: {one.get('reason') or one.get('error') or ''}"


def invited(group: Group) -> list[Fact]:
    paths = [str(item.result.get("path")) for item in group.items if item.changed]
    verb = "would write an invitation" if group.would else "invitation"
    return [Fact("review", f"{verb}: {path}", "calm" if group.would else "good") for path in paths]


def locked(group: Group) -> list[Fact]:
    """A run's own lock is in its heading; one that was set by hand is what a person asked for."""
    facts = []
    for item in group.items:
        lock = {} if item.failed else item.result.get("lock") or {}
        if lock.get("manual") and lock.get("held"):
            verb = "would be held" if group.would else "held"
            why = f": {one_line(str(lock['reason']))}" if lock.get("reason") else ""
            facts.append(Fact("lock", f"{verb} by {lock.get('holder')}{why}"))
        elif item.result.get("stolen_from"):
            facts.append(Fact("lock", f"taken from {item.result['stolen_from']}", "warn"))
    return facts


def page(group: Group) -> list[Fact]:
    """Where the page is that is written again while the release goes on."""
    places = [str(one) for item in group.items for one in item.result.get("places") or ()]
    if not places or group.would:
        return []
    return [Fact("page", " · ".join(places), "")]
