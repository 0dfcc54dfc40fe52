# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of the results of a task, module by module: a count or a few words, and each exception by its name."""

from __future__ import annotations

import functools
import re
import typing as t
from collections import Counter
from dataclasses import replace

from .._availability.claims import in_short
from .._formats import counted, listed, one_line, size
from .._images import version_of
from .layout import CAUSE, bare
from .models import Fact, Group, Item, Tone

Row = t.Mapping[str, t.Any]
Teller = t.Callable[[Group], list[Fact]]
OURS = "easymo.deploy."
FEW_CHECKS = 2
FEW = 4
"""More names than this are told by their number."""
GOOD = ("pass", "good", "ok")
URL = re.compile(r"\b[a-z]+://\S+")


def each(tell: t.Callable[[Item, Group], Fact | None]) -> Teller:
    """A teller of at most one fact for each item."""

    @functools.wraps(tell)
    def tell_all(group: Group) -> list[Fact]:
        return [fact for item in group.items if (fact := tell(item, group))]

    return tell_all


def sentence(group: Group) -> list[Fact]:
    """As the module put it. That of a failure is the cause in the last block."""
    results = (one_line(str(item.result.get("sentence") or "")) for item in group.good)
    return [Fact("", text, group.tone) for text in dict.fromkeys(results) if text]


def its_sentence(group: Group) -> list[Fact]:
    """Of a module without a teller: its sentence, or that it changed something."""
    facts = sentence(group)
    if facts or not any(item.changed for item in group.good):
        return facts
    verb = "would change: " if group.would else ""
    return [Fact("", f"{verb}{bare(group.name)}", group.tone)]


def switch(group: Group) -> list[Fact]:
    """What a run did by itself needs no reason: its end tells that."""
    facts = []
    for item in group.items:
        held = item.result.get("kill_switch") or {}
        if not (held.get("automatic") and item.changed):
            return sentence(group)
        text = ", ".join(f"{name}={value}" for name, value in (held.get("flags") or {}).items())
        off = Fact("switched", f"off by the kill switch, which holds {text}", "warn")
        would = Fact("would", f"switch it off by the kill switch: {text}", "calm")
        facts.append(would if group.would else replace(off, tone="bad" if item.failed else "warn"))
    return facts


def preflight(group: Group) -> list[Fact]:
    """Sign-offs are told apart from what machines looked at. One check alone, which passed, opened a phase."""
    rows = group.rows("results")
    signed = [row for row in rows if str(row.get("name")).startswith("sign_off_")]
    looked = [row for row in rows if row not in signed]
    if len(rows) == 1 and rows[0].get("status") == "pass":
        return []
    commits = [item.result.get("commit") for item in group.items]
    commit = f"commit {str(commits[0])[:7]}" if commits and commits[0] else ""
    facts = counts(looked, "checks", "check", commit, named=whole_cause(group))
    return facts + (counts(signed, "sign-offs", "sign-off") if signed else [])


def counts(
    rows: t.Sequence[Row], label: str, noun: str, more: str = "", *, named: bool = False
) -> list[Fact]:
    """`named`: why one did not pass is the cause in the last block."""
    passed = [row for row in rows if row.get("status") in GOOD]
    skipped = [row for row in rows if row.get("status") == "skipped"]
    planned = [row for row in rows if row.get("status") == "planned"]
    rest = [row for row in rows if row not in [*passed, *skipped, *planned]]
    if planned:
        names = [str(row.get("name")) for row in planned]
        return [Fact(label, f"would ask {listed(names, 5)}", "calm")]
    facts = []
    if passed or not rest:
        of = f" of {len(rows) - len(skipped)}" if rest else ""
        text = " · ".join(filter(None, [f"{len(passed)}{of} passed", more]))
        facts.append(Fact(label, text, "" if rest else "good"))
    if skipped:
        facts.append(Fact(label, f"{len(skipped)} skipped: {reasons(skipped)}", "calm"))
    return [*facts, *(exception(row, noun, named=named) for row in rest)]


def whole_cause(group: Group) -> bool:
    """Whether the last block has room for all that did not pass."""
    results = [item.result for item in group.items]
    sentences = [str(result.get("sentence") or result.get("msg") or "") for result in results]
    return all(sentences) and sum(map(len, sentences)) <= CAUSE


def exception(row: Row, noun: str, *, named: bool = False) -> Fact:
    status = str(row.get("status"))
    tone: t.Literal["warn", "bad"] = "bad" if status in ("fail", "failed") else "warn"
    what = "" if tone == "bad" else f"{status}: "
    why = "" if named else f": {one_line(str(row.get('detail')))}"
    return Fact(noun, f"{what}{row.get('name')}{why}", tone)


def reasons(rows: t.Sequence[Row]) -> str:
    """Why, without the addresses, and how often."""
    why = Counter(" ".join(URL.sub("", str(row.get("detail"))).split()) for row in rows)
    return " · ".join(f"{text} ({number})" if number > 1 else text for text, number in why.items())


def health(group: Group) -> list[Fact]:
    results = group.rows("results")
    called = [row for row in results if row.get("kind") == "function_calls"]
    if called and all(row.get("status") in GOOD for row in called):
        fact = Fact("called", f"{counted(len(called), 'function')} answered")
        return [fact, *checked([row for row in results if row not in called])]
    return checked(results)


def checked(rows: t.Sequence[t.Any]) -> list[Fact]:
    good = [row for row in rows if row.get("status") in GOOD]
    if len(rows) <= FEW_CHECKS and len(good) == len(rows):
        sentences = [f"{row['name']}: {row['detail']}" for row in rows]
        return [Fact("checked", one_line(" · ".join(sentences)))] if sentences else []
    return counts(rows, "checked", "check")


def smoke(group: Group) -> list[Fact]:
    """Results that are collected were told by the tasks that they are of."""
    rows = [] if group.rows("remarks") else group.rows("results")
    if rows and all(row.get("kind") == "webhook" and row.get("status") in GOOD for row in rows):
        return [Fact("webhook", f"{row['name']}: {row['detail']}") for row in rows]
    return counts(rows, "tests", "test", named=whole_cause(group)) if rows else []


def people(group: Group) -> list[Fact]:
    rows = group.rows("results")
    good = [row for row in rows if row.get("status") in GOOD]
    if any(row.get("status") == "planned" for row in rows):
        return counts(rows, "people", "people")
    by = sorted({str((row.get("facts") or {}).get("by") or "") for row in good} - {""})
    facts = []
    if good:
        who = f" ({listed(by)})" if by else ""
        facts.append(Fact("people", f"{counted(len(good), 'answer')} good{who}"))
    return facts + [exception(row, "people") for row in rows if row not in good]


@each
def gate(item: Item, _group: Group) -> Fact | None:
    """What a watch holds for, or goes back for, is the cause in the last block."""
    verdict = item.result.get("verdict")
    if verdict == "proceed":
        return Fact("watch", one_line(str(item.result.get("sentence"))))
    why = counted(len(item.result.get("reasons") or ()), "reason")
    tone: t.Literal["bad", "warn"] = "bad" if verdict == "rollback" else "warn"
    return Fact("watch", f"{verdict}, for {why}", tone) if verdict else None


def backups(group: Group) -> list[Fact]:
    """A backup is in a result only when it was read back from where it lies."""
    if group.would:
        names = [item.name for item in group.good if item.changed]
        return [Fact("backups", f"would back up {', '.join(names)}", "calm")] if names else []
    made = [item.result["backup"] for item in group.items if item.result.get("backup")]
    sentences = [f"{entry['name']} {size(entry.get('size'))}" for entry in made]
    stored = "" if any(item.changed for item in group.items) else ", taken before"
    return [Fact("backups", f"{' · '.join(sentences)}, read back{stored}")] if sentences else []


def migrations(group: Group) -> list[Fact]:
    if rehearsed := [
        item.result["rehearsal"] for item in group.items if "rehearsal" in item.result
    ]:
        return rehearsals(rehearsed)
    if any("history" in item.result for item in group.items):
        return []
    settled = [
        (item.name, item.result["resolved"]) for item in group.items if "resolved" in item.result
    ]
    if settled:
        text = " · ".join(f"{name} {', '.join(names) or 'nothing'}" for name, names in settled)
        return group.would_or("resolve:", "resolved", text)
    key, items = ("pending", group.good) if group.would else ("applied", group.items)
    numbers = {item.name: len(item.result.get(key) or ()) for item in items}
    if not group.would and not any(numbers.values()):
        idle = ", ".join(item.name for item in group.good)
        return [Fact("applied", f"{idle}: nothing is pending")] if idle else []
    texts = [f"{name} {counted(number, 'migration')}" for name, number in numbers.items()]
    return group.would_or("apply:", "applied", " · ".join(texts))


def rehearsals(rows: t.Sequence[Row]) -> list[Fact]:
    facts = []
    for row in rows:
        number = counted(len(row["pending"]), "migration")
        if row["status"] == "passed":
            queries = len(row.get("checks") or ())
            answered = f", {counted(queries, 'query', 'queries')} right" if queries else ""
            text = f"{row['name']}: {number} on its restored backup{answered}"
            facts.append(Fact("rehearsed", text))
        elif row["status"] == "waived":
            why = f"{row['waiver']} (by {row['waived_by']})"
            facts.append(Fact("rehearsed", f"{row['name']}: waived, {why}", "warn"))
    return facts


def restores(group: Group) -> list[Fact]:
    """A scratch database is no restore."""
    restored = [
        (item.name, item.result["backup"])
        for item in group.items
        if item.result.get("method") != "scratch" and item.result.get("backup")
    ]
    texts = [
        f"{backup.get('name') or name} from {backup.get('finished')}" for name, backup in restored
    ]
    return group.would_or("restore", "restored", " · ".join(texts))


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
    return facts + [
        fact for item in group.items if item.failed for fact in _failure_facts(item, label)
    ]


def _rolled(item: Item, would: bool) -> str:
    if item.result.get("result") == "no_change" or not item.changed:
        return f"{_pods(item.result)} unchanged".strip()
    before, after = (
        version_of((item.result.get(key) or {}).get("image") or "") for key in ("before", "after")
    )
    step = f"{before}→{after}" if before and after and before != after else after
    return f"would go {step}" if would else f"{_pods(item.result)} {step}".strip()


def _pods(result: Row) -> str:
    replicas = result.get("replicas") or {}
    if not replicas.get("desired"):
        return ""
    return f"{replicas.get('available')}/{replicas['desired']}"


def _failure_facts(item: Item, label: str) -> list[Fact]:
    result = item.result
    # "ImageNotFound" is "image not found".
    reason = re.sub(r"(?<!^)(?=[A-Z])", " ", str(result.get("reason") or "failed")).lower()
    facts = [Fact(label, f"{item.name}  {reason}", "bad")]
    if result.get("result") == "rolled_back":
        image = version_of((result.get("after") or {}).get("image") or "")
        facts.append(Fact("", f"↩ {item.name} is back on {image} {_pods(result)}".rstrip(), "warn"))
    elif result.get("result") == "rollback_failed":
        facts.append(Fact("", f"↩ {item.name} did not come back", "bad"))
    return facts


def restarted(group: Group) -> list[Fact]:
    if any("deployments" in item.result for item in group.items):
        return its_sentence(group)
    moved = [item for item in group.good if item.changed]
    if group.would:
        return group.would_or("restart", "", listed([item.name for item in moved]))
    text = " · ".join(f"{item.name} {_pods(item.result)}".strip() for item in moved)
    failed = [item for item in group.items if item.failed]
    facts = group.would_or("", "restarted", text)
    return facts + [entry for item in failed for entry in _failure_facts(item, "restarted")]


def returned(group: Group) -> list[Fact]:
    """What a rollback of several services brought back, and what not."""
    services: dict[str, Row] = {}
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
    good = []
    for version, names in back.items():
        few = f": {' '.join(names)}" if len(names) <= FEW else ""
        good.append(Fact("services", f"{counted(len(names), 'service')} {verb} {version}{few}"))
    return good + facts


def functions(group: Group) -> list[Fact]:
    if any("set" in item.result for item in group.items):
        return its_sentence(group)
    return bundled(group)


@each
def bundled(item: Item, group: Group) -> Fact | None:
    result = item.result
    changes = [str(change.get("slug")) for change in result.get("changes") or ()]
    text, number = "nothing to change", counted(len(changes), "function")
    if group.would:
        text = f"would change: {listed(changes, 5)}" if changes else text
    elif result.get("activated"):
        text = f"{number} activated together"
    elif result.get("saved"):
        text = f"{number} bundled, what runs is saved"
    elif item.failed:
        return None
    return Fact("functions", text, group.tone)


def flags(group: Group) -> list[Fact]:
    return [*moved(group), *delivered(group)]


@each
def moved(item: Item, group: Group) -> Fact | None:
    before, after = (item.result.get(key) or {} for key in ("before", "after"))
    steps: dict[str, list[str]] = {}
    # A document of the same ConfigMap is no flag.
    for name in sorted(name for name in {*before, *after} if name.isupper()):
        if before.get(name) != after.get(name):
            step = f"{before.get(name, 'unset')}→{after.get(name, 'unset')}"
            steps.setdefault(step, []).append(name)
    text = " · ".join(
        f"{names[0]} {step}" if len(names) == 1 else f"{len(names)} flags {step}"
        for step, names in steps.items()
    )
    verb = "would set " if group.would else ""
    return Fact("flags", f"{verb}{text}", group.tone) if text else None


def ramp(group: Group) -> list[Fact]:
    """Where it stands is told by what is done about it."""
    if any("needs_lock" in item.result for item in group.items):
        return []
    return [*its_sentence(group), *delivered(group)]


@each
def in_pods(item: Item, _group: Group) -> Fact | None:
    pods = item.result.get("pods") or ()
    if not pods or item.failed:
        return None
    good = sum(not pod.get("problems") for pod in pods)
    after = item.result.get("reached_after")
    waited = f", the last after {after:.1f} s" if item.changed and after else ""
    return Fact("read", f"flags in {good} of {len(pods)} pods of {item.name}{waited}")


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


@each
def measured(item: Item, _group: Group) -> Fact | None:
    availability = item.result.get("availability") or {}
    # Told at its end: an earlier run's are known at the beginning too.
    if not availability.get("probes") or (item.result.get("facts") or {}).get("prober"):
        return None
    tone: Tone = "good" if availability.get("verdict") == "complete" else "warn"
    return Fact("measured", in_short(availability), tone)


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


def announced(group: Group) -> list[Fact]:
    sentences = receivers(group) if any(item.changed for item in group.items) else []
    verb = "would tell " if group.would else ""
    facts = [Fact("told", f"{verb}{' · '.join(sentences)}", group.tone)] if sentences else []
    for entry in group.rows("undelivered"):
        channel = CHANNELS.get(str(entry.get("channel")), str(entry.get("channel")))
        text = one_line(f"{channel} {entry.get('target') or ''}: {entry.get('reason') or ''}")
        facts.append(Fact("not told", text, "warn"))
    return facts


def tells(result: t.Mapping[str, t.Any]) -> bool:
    """Whether the lock was only read, and is told in words."""
    return "sentence" in result


@each
def locked(item: Item, group: Group) -> Fact | None:
    """A run's own lock is in its heading; one that was set by hand is what a person asked for."""
    lock = {} if item.failed else item.result.get("lock") or {}
    if lock.get("manual") and lock.get("held") and not tells(item.result):
        verb = "would be held" if group.would else "held"
        why = f": {one_line(str(lock['reason']))}" if lock.get("reason") else ""
        return Fact("lock", f"{verb} by {lock.get('holder')}{why}")
    stolen = item.result.get("stolen_from")
    return Fact("lock", f"taken from {stolen}", "warn") if stolen else None


def begun(group: Group) -> list[Fact]:
    """What a run holds until its end: the page that is written again."""
    places = " · ".join(map(str, group.rows("places")))
    return [*locked(group), *([Fact("page", places, "")] if places else [])]


TABLE: t.Mapping[str, Teller] = {
    "easymo.deploy.announce": announced,
    "easymo.deploy.availability": measured,
    "easymo.deploy.deploy_lock": locked,
    "easymo.deploy.edge_functions": functions,
    "easymo.deploy.feature_flags": flags,
    "easymo.deploy.feature_ramp": ramp,
    "easymo.deploy.health_check": health,
    "easymo.deploy.images": images,
    "easymo.deploy.kill_switch": switch,
    "easymo.deploy.metrics_gate": gate,
    "easymo.deploy.migrations": migrations,
    "easymo.deploy.person_check": people,
    "easymo.deploy.pg_backup": backups,
    "easymo.deploy.pg_restore": restores,
    "easymo.deploy.preflight_check": preflight,
    "easymo.deploy.release": sentence,
    "easymo.deploy.release_rollback": returned,
    "easymo.deploy.release_run": begun,
    "easymo.deploy.rollout": restarted,
    "easymo.deploy.smoke_tests": smoke,
    "easymo.deploy.wave_result": wave,
}
"""By module."""


def facts_of(action: str, group: Group) -> list[Fact]:
    if not action.startswith(OURS):
        return []
    return TABLE.get(action, its_sentence)(group)
