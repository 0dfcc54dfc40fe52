# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of the results of a task, module by module: a count or a few words, and each exception by its name.

And which of them are told, after what was told before them.
"""

from __future__ import annotations

import functools
import re
import typing as t
from collections import Counter
from dataclasses import replace

from .._availability.claims import in_short
from .._formats import counted, listed, one_line, shortened, size
from .._images import version_of
from .._release.models import has_failed, sentence_of
from .layout import bare
from .models import Fact, Group, Item, TaskEnded, Tone

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
    facts = counts(looked, "checks", "check", commit)
    return facts + (counts(signed, "sign-offs", "sign-off") if signed else [])


def counts(rows: t.Sequence[Row], label: str, noun: str, more: str = "") -> list[Fact]:
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
    return [*facts, *(exception(row, noun) for row in rest)]


def exception(row: Row, noun: str) -> Fact:
    status = str(row.get("status"))
    tone: t.Literal["warn", "bad"] = "bad" if status in ("fail", "failed") else "warn"
    what = "" if tone == "bad" else f"{status}: "
    return Fact(noun, f"{what}{row.get('name')}: {one_line(str(row.get('detail')))}", tone)


def reasons(rows: t.Sequence[Row]) -> str:
    """Why, without the addresses, and how often."""
    why = Counter(" ".join(URL.sub("", str(row.get("detail"))).split()) for row in rows)
    return " · ".join(f"{text} ({number})" if number > 1 else text for text, number in why.items())


def health(group: Group) -> list[Fact]:
    results = group.rows("results")
    called = [row for row in results if row.get("kind") == "function_calls"]
    if called and all(row.get("status") in GOOD for row in called):
        fact = Fact("called", f"{counted(len(called), 'function')} answered")
        return [fact, *checked([row for row in results if row not in called], "checked", "check")]
    return checked(results, "checked", "check")


def checked(rows: t.Sequence[Row], label: str, noun: str) -> list[Fact]:
    """What went well in its own words where there is little of it."""
    if 0 < len(rows) <= FEW_CHECKS and all(row.get("status") in GOOD for row in rows):
        return [Fact("checked", one_line(" · ".join(f"{r['name']}: {r['detail']}" for r in rows)))]
    return counts(rows, label, noun) if rows else []


def smoke(group: Group) -> list[Fact]:
    """Results that are collected were told by the tasks that they are of."""
    rows = [] if group.rows("remarks") else group.rows("results")
    return checked(rows, "tests", "test")


def people(group: Group) -> list[Fact]:
    rows = group.rows("results")
    by = sorted({str((row.get("facts") or {}).get("by") or "") for row in rows} - {""})
    return counts(rows, "people", "people", listed(by)) if rows else []


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
        replicas = result.get("replicas") or {}
        pods = _pods(result) if replicas.get("available") == replicas.get("desired") else ""
        stands = f"serves {pods}, but is not back whole" if pods else "did not come back"
        facts.append(Fact("", f"↩ {item.name} {stands}", "bad"))
    return facts


def restarted(group: Group) -> list[Fact]:
    if any("deployments" in item.result for item in group.items):
        return its_sentence(group)
    moved = [item for item in group.good if item.changed]
    if group.would:
        return group.would_or("restart", "", listed([item.name for item in moved]))
    text = " · ".join(f"{item.name} {_pods(item.result)}".strip() for item in moved)
    # Without an outcome nothing was to be restarted, or nothing has begun.
    failed = [item for item in group.items if item.failed and "result" in item.result]
    facts = group.would_or("", "restarted", text)
    return facts + [entry for item in failed for entry in _failure_facts(item, "restarted")]


def returned(group: Group) -> list[Fact]:
    """What a rollback of several services brought back, and what not."""
    back: dict[str, list[str]] = {}
    facts = []
    for item in group.items:
        for name, service in (item.result.get("services") or {}).items():
            if service.get("message"):
                text = f"{name}: {one_line(str(service['message']))}"
                facts.append(Fact("services", text, "bad"))
                continue
            version = version_of((service.get("after") or {}).get("image") or "")
            stayed = "" if service.get("changed") else ", where they were"
            back.setdefault(f"{version}{stayed}", []).append(name)
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
        if result.get("restored"):
            text = f"{number} back as before the release"
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
        why = entry.get("msg") or entry.get("reason") or ""
        text = one_line(f"{channel} {entry.get('target') or ''}: {why}")
        facts.append(Fact("not told", text, "warn"))
    return facts


def not_paged(group: Group) -> str | None:
    """Why a page did not reach PagerDuty, "" for one that did; None of what pages nobody."""
    reached = {
        outcome: [
            entry
            for entry in group.rows(outcome)
            if entry.get("channel") == "pagerduty" and entry.get("action") != "resolve"
        ]
        for outcome in ("undelivered", "delivered")
    }
    for entry in reached["undelivered"]:
        return one_line(str(entry.get("msg") or entry.get("reason") or "no reason is known"))
    return "" if reached["delivered"] else None


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


SILENT = frozenset(f"{OURS}{name}" for name in ("diagnosis", "release_report", "rollout_wave"))
"""What they changed is told elsewhere."""
ANNOUNCE = "easymo.deploy.announce"
AVAILABILITY = "easymo.deploy.availability"
DEBUG = "ansible.builtin.debug"
REPORT = "easymo.deploy.release_report"
RUN = "easymo.deploy.release_run"
LOCKS = frozenset({"easymo.deploy.deploy_lock", RUN})
STOPS = frozenset({"easymo.deploy.stop", "ansible.builtin.fail"})
SERVICE = "easymo.deploy.wave_result"
RECORDS = frozenset({"easymo.deploy.release", "easymo.deploy.release_info"})
RECORD_READERS = RECORDS | {ANNOUNCE, REPORT, RUN}
"""Their results have the record."""
LOG_LINES = 3
REMARK = 300
"""Columns of what a role says in passing; -v shows all of it."""
PEOPLE = ("answer", "decision", "sign_off")
"""Of the results of these modules, what a person asked for, not the run."""


def records(action: str, result: t.Mapping[str, t.Any]) -> bool:
    """Whether it is the run's own book of what it does."""
    return action in RECORDS and not any(name in result for name in PEOPLE)


class Telling:
    """Remembers what was told, so that nothing is told twice."""

    def __init__(self, *, check: bool = False, limited: bool = False) -> None:
        """`limited`: some services are left out, so the numbers of this run's waves are not those of the release."""
        self._check, self._limited = check, limited
        self._services: set[str] = set()
        self._told: set[str] = set()

    def message_lines(self, ended: t.Sequence[TaskEnded]) -> list[str]:
        """What a role or a module lays out by itself, as a list or in several lines."""
        if len(lines_of(ended[-1])) < 2:
            return []
        return [line for entry in ended for line in self._new_lines(entry)]

    def wave(self, data: t.Mapping[str, t.Any]) -> list[Fact]:
        """What became of a wave's services, as they are reported when it ends."""
        items = tuple(
            Item(host, {**result, "wave": data["wave"]}, failed=bool(result.get("failed")))
            for host, result in (data.get("services") or {}).items()
        )
        return self._waves(items, would=self._check)

    def _waves(self, items: t.Sequence[Item], *, would: bool) -> list[Fact]:
        """Of the services that were not told before."""
        waves: dict[int, list[Item]] = {}
        for item in items:
            if item.name not in self._services:
                waves.setdefault(int(item.result.get("wave") or 0), []).append(item)
        self._services |= {item.name for item in items}
        return [
            fact
            for number, members in waves.items()
            for fact in facts_of(
                SERVICE, Group("", tuple(members), would, 0 if self._limited else number)
            )
        ]

    def facts(self, ended: t.Sequence[TaskEnded], *, failing: bool) -> list[Fact]:
        """`failing`: the run has failed already, so messages are told in its last block."""
        facts = [] if ended[0].task.action == DEBUG else self._outcomes(ended, failing=failing)
        lines = (line for entry in ended for line in self._new_lines(entry))
        return [*facts, *(Fact("", shortened(one_line(line), REMARK), "") for line in lines)]

    def _outcomes(self, ended: t.Sequence[TaskEnded], *, failing: bool) -> list[Fact]:
        task = ended[0].task
        failed = any(entry.status in ("failed", "unreachable") for entry in ended)
        if records(task.action, ended[-1].result) and not failed:
            return []
        if (task.action == ANNOUNCE and failing) or (task.action in SILENT and not failed):
            return []
        # A task that only looks, in a run that does.
        if task.check and not self._check and not failed:
            return []
        items = tuple(item for entry in ended for item in _items(entry))
        if not items:
            return []
        if task.action == SERVICE:
            return self._waves(items, would=task.check)
        result = facts_of(task.action, Group(task.name, items, task.check))
        # In check mode a task and its rehearsal would do the same, and what was measured may be an earlier run's.
        again = task.check or task.action == AVAILABILITY
        facts = [entry for entry in result if not again or entry.text not in self._told]
        if any(entry.ignored for entry in ended):
            facts = [replace(fact, tone="warn") if fact.tone == "bad" else fact for fact in facts]
        for fact in facts:
            self._told.add(fact.text)
        if facts:
            # They are counted, and their exceptions are told.
            for line in (line for item in items for line in item.result.get("lines") or ()):
                self._told.add(one_line(str(line)))
        return [*facts, *_failures(ended, facts)]

    def _new_lines(self, ended: TaskEnded) -> list[str]:
        """Without what was told before."""
        return [line.rstrip() for line in lines_of(ended) if line.strip() and self._new(line)]

    def _new(self, text: str) -> bool:
        known = one_line(text) in self._told
        self._told.add(one_line(text))
        return not known


def lines_of(ended: TaskEnded) -> list[str]:
    """What a task has for people to read; where the report lies the end tells."""
    if ended.task.action == REPORT:
        return []
    text = ended.result.get("msg" if ended.task.action == DEBUG else "remarks")
    return [str(line) for line in text] if isinstance(text, list) else str(text or "").splitlines()


def report_files(result: t.Mapping[str, t.Any]) -> list[str]:
    files = result.get("files")
    page = files.get("html") if isinstance(files, dict) else ""
    return [str(entry) for entry in (page, result.get("incident")) if entry]


def last_lines(result: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Of the first container whose log a diagnosis of the rollout has."""
    diagnosis = result.get("diagnosis")
    logs = (diagnosis.get("logs") or {}) if isinstance(diagnosis, dict) else {}
    lines: list[str] = next(filter(None, logs.values()), [])
    return tuple(one_line(str(line)) for line in lines[-LOG_LINES:])


def lasted(event: TaskEnded) -> float:
    """Seconds by the result, for a task may only tell what an earlier one did; 0 where it says nothing of that."""
    result = event.result.get("duration")
    return float(result) if isinstance(result, (int, float)) else 0.0


def _failures(ended: t.Sequence[TaskEnded], facts: t.Sequence[Fact]) -> list[Fact]:
    """Where a task failed, if no fact says so; why is in the last block."""
    bad = [entry for entry in ended if entry.status in ("failed", "unreachable")]
    ignored = [entry for entry in bad if entry.ignored]
    if ignored:
        why = one_line(sentence_of(ignored[0].result))
        text = f"{bare(ignored[0].task.name)} failed, and the run goes on: {why}"
        return [Fact("", text, "warn")]
    has_words = bad and (bad[0].task.action in STOPS or "remarks" in bad[0].result)
    if not bad or has_words or any(fact.tone == "bad" for fact in facts):
        return []
    hosts = sorted({entry.host for entry in bad} - {"localhost"})
    where = f" on {', '.join(hosts)}" if hosts else ""
    return [Fact("", f"{bare(bad[0].task.name)}{where}", "bad")]


def _items(task_ended: TaskEnded) -> t.Iterator[Item]:
    """The results of a loop one by one, each with the name of its round."""
    rounds = task_ended.result.get("results")
    each = [r for r in rounds if isinstance(r, dict)] if isinstance(rounds, list) else []
    if any("ansible_loop_var" in r for r in each):
        for r in each:
            if not r.get("skipped"):
                name = str(r.get("_ansible_item_label", r.get("item", "")))
                yield Item(one_line(name), r, has_failed(r))
        return
    failed = task_ended.status in ("failed", "unreachable") and not task_ended.ignored
    yield Item(task_ended.host, task_ended.result, failed)
