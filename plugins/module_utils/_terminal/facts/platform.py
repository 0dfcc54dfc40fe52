# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of images, services, functions, flags, the ramp, messages and the deploy lock."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._formats import counted, listed
from ..._images import version_of
from ..layout import one_line, words_of
from ..models import Fact, Group, Item

ROLLED = ("succeeded", "no_change")
FEW = 4
"""More names than this are told by their number."""
Fields = t.Mapping[str, t.Any]


def images(group: Group) -> list[Fact]:
    known = {name for item in group.items for name in item.result.get("images") or {}}
    return [Fact("images", f"{counted(len(known), 'image')} in the registry")] if known else []


def wave(group: Group) -> list[Fact]:
    """Those that went well in a line, each that did not in one of its own."""
    label = f"wave {group.wave}" if group.wave else "services"
    same: dict[str, list[str]] = {}
    for item in group.good:
        same.setdefault(_rolled(item, group.would), []).append(item.name)
    facts = [
        Fact(label, f"{' '.join(names)}  {how}".strip(), group.tone) for how, names in same.items()
    ]
    return facts + [fact for item in group.items if item.failed for fact in _failed(item, label)]


def _rolled(item: Item, would: bool) -> str:
    if item.result.get("result") == "no_change" or not item.changed:
        return f"{_pods(item.result)} unchanged".strip()
    before, after = (
        version_of((item.result.get(key) or {}).get("image") or "") for key in ("before", "after")
    )
    step = f"{before}→{after}" if before and after and before != after else after
    return f"would go {step}" if would else f"{_pods(item.result)} {step}".strip()


def _pods(result: Fields) -> str:
    replicas = result.get("replicas") or {}
    if not replicas.get("desired"):
        return ""
    return f"{replicas.get('available')}/{replicas['desired']}"


def _failed(item: Item, label: str) -> list[Fact]:
    result = item.result
    facts = [Fact(label, f"{item.name}  {words_of(result.get('reason')) or 'failed'}", "bad")]
    if result.get("result") == "rolled_back":
        image = version_of((result.get("after") or {}).get("image") or "")
        facts.append(Fact("", f"↩ {item.name} is back on {image} {_pods(result)}".rstrip(), "warn"))
    elif result.get("result") == "rollback_failed":
        facts.append(Fact("", f"↩ {item.name} did not come back", "bad"))
    return facts


def restarted(group: Group) -> list[Fact]:
    moved = [item for item in group.good if item.changed]
    if group.would:
        return group.would_or("restart", "", listed([item.name for item in moved]))
    text = " · ".join(f"{item.name} {_pods(item.result)}".strip() for item in moved)
    failed = [item for item in group.items if item.failed]
    facts = group.would_or("", "restarted", text)
    return facts + [entry for item in failed for entry in _failed(item, "restarted")]


def returned(group: Group) -> list[Fact]:
    """What a rollback of several services brought back, and what not."""
    services: dict[str, Fields] = {}
    for item in group.items:
        services |= item.result.get("services") or {}
    back: dict[str, list[str]] = {}
    facts = []
    for name, service in services.items():
        version = version_of((service.get("after") or {}).get("image") or "")
        if service.get("message"):
            facts.append(Fact("services", f"{name}: {one_line(str(service['message']))}", "bad"))
        elif service.get("changed"):
            back.setdefault(version, []).append(name)
        else:
            back.setdefault(f"{version}, where they were", []).append(name)
    verb = "would go back to" if group.would else "on"
    good = [
        Fact("services", f"{counted(len(names), 'service')} {verb} {version}{_few(names)}")
        for version, names in back.items()
    ]
    return good + facts


def _few(names: t.Sequence[str]) -> str:
    return f": {' '.join(names)}" if len(names) <= FEW else ""


def functions(group: Group) -> list[Fact]:
    facts = []
    for item in group.items:
        result = item.result
        changes = [str(change.get("slug")) for change in result.get("changes") or ()]
        text, number = "nothing to change", counted(len(changes), "function")
        if group.would and changes:
            text = f"would change: {listed(changes, 5)}"
        elif not group.would and result.get("activated"):
            text = f"{number} activated together"
        elif not group.would and result.get("saved"):
            text = f"{number} bundled, what runs is saved"
        elif not group.would and item.failed:
            continue
        facts.append(Fact("functions", text, group.tone))
    return facts


def flags(group: Group) -> list[Fact]:
    facts = []
    for item in group.items:
        before, after = (item.result.get(key) or {} for key in ("before", "after"))
        moved: dict[str, list[str]] = {}
        # A document of the same ConfigMap is no flag.
        for name in sorted(name for name in {*before, *after} if name.isupper()):
            if before.get(name) != after.get(name):
                step = f"{before.get(name, 'unset')}→{after.get(name, 'unset')}"
                moved.setdefault(step, []).append(name)
        sentences = [
            f"{names[0]} {step}" if len(names) == 1 else f"{len(names)} flags {step}"
            for step, names in moved.items()
        ]
        if sentences:
            verb = "would set " if group.would else ""
            facts.append(Fact("flags", f"{verb}{' · '.join(sentences)}", group.tone))
    return facts


def in_pods(group: Group) -> list[Fact]:
    facts = []
    for item in group.items:
        pods = item.result.get("pods") or ()
        good = [pod for pod in pods if not pod.get("problems")]
        if pods and not item.failed:
            after = item.result.get("reached_after")
            waited = f", the last after {after:.1f} s" if item.changed and after else ""
            facts.append(
                Fact("read", f"flags in {len(good)} of {len(pods)} pods of {item.name}{waited}")
            )
    return facts


def delivered(group: Group) -> list[Fact]:
    """What became of the readers of flags, as of a restart and of a look at their pods."""
    readers = [
        Item(name, reader)
        for item in group.good
        for name, reader in (item.result.get("consumers") or {}).items()
    ]
    restarts = [Item(item.name, item.result.get("restart") or {}) for item in readers]
    return [
        *restarted(replace(group, items=tuple(restarts))),
        *in_pods(replace(group, items=tuple(readers))),
    ]


def measured(group: Group) -> list[Fact]:
    facts = []
    for item in group.items:
        availability = item.result.get("availability") or {}
        probes, failures = availability.get("probes"), availability.get("failures")
        # Told at its end: an earlier run's are known at the beginning too.
        if not probes or (item.result.get("facts") or {}).get("prober"):
            continue
        text = f"{failures} of {probes} requests to {availability.get('targets')} public addresses failed"
        gaps = ", with gaps" if availability.get("verdict") != "complete" else ""
        facts.append(Fact("measured", f"{text}{gaps}", "warn" if failures or gaps else "good"))
    return facts


CHANNELS: t.Mapping[str, str] = {
    "slack": "Slack",
    "statuspage": "status page",
    "email": "mail to",
    "pagerduty": "PagerDuty",
}

RESOLVED = "to resolve any incident"


def receivers(group: Group) -> list[str]:
    """Who got something, by channel; an incident's key and a status page's title say nothing to a reader."""
    results = []
    for entry in group.rows("delivered"):
        channel = str(entry.get("channel"))
        target = str(entry.get("target") or "") if channel in ("slack", "email") else ""
        over = RESOLVED if entry.get("action") == "resolve" else ""
        results.append(" ".join(filter(None, [CHANNELS.get(channel, channel), target, over])))
    return list(dict.fromkeys(results))


def still_told(receivers_in_turn: t.Iterable[str]) -> list[str]:
    """Each once, without those whose incident was resolved since."""
    messages: dict[str, None] = {}
    for receiver in receivers_in_turn:
        if receiver.endswith(RESOLVED):
            messages.pop(receiver.removesuffix(RESOLVED).strip(), None)
        else:
            messages[receiver] = None
    return list(messages)


def announced(group: Group) -> list[Fact]:
    sentences = receivers(group) if any(item.changed for item in group.items) else []
    verb = "would tell " if group.would else ""
    facts = [Fact("told", f"{verb}{' · '.join(sentences)}", group.tone)] if sentences else []
    for entry in group.rows("undelivered"):
        channel = CHANNELS.get(str(entry.get("channel")), str(entry.get("channel")))
        text = one_line(f"{channel} {entry.get('target') or ''}: {entry.get('reason') or ''}")
        facts.append(Fact("not told", text, "warn"))
    return facts


def invited(group: Group) -> list[Fact]:
    verb = "would write an invitation" if group.would else "invitation"
    changed = [item for item in group.items if item.changed]
    return [Fact("review", f"{verb}: {item.result.get('path')}", group.tone) for item in changed]


def tells(result: t.Mapping[str, t.Any]) -> bool:
    """Whether the lock was only read, and is told in words."""
    return "sentence" in result


def locked(group: Group) -> list[Fact]:
    """A run's own lock is in its heading; one that was set by hand is what a person asked for."""
    facts = []
    for item in group.items:
        lock = {} if item.failed else item.result.get("lock") or {}
        if lock.get("manual") and lock.get("held") and not tells(item.result):
            verb = "would be held" if group.would else "held"
            why = f": {one_line(str(lock['reason']))}" if lock.get("reason") else ""
            facts.append(Fact("lock", f"{verb} by {lock.get('holder')}{why}"))
        elif item.result.get("stolen_from"):
            facts.append(Fact("lock", f"taken from {item.result['stolen_from']}", "warn"))
    return facts


def begun(group: Group) -> list[Fact]:
    """What a run holds until its end: the page that is written again."""
    places = " · ".join(map(str, group.rows("places")))
    return [*locked(group), *([Fact("page", places, "")] if places else [])]
