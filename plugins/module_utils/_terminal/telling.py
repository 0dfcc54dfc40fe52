# SPDX-License-Identifier: GPL-3.0-or-later
"""Which facts the results of one task are, after what was told before them."""

from __future__ import annotations

import typing as t

from .._formats import one_line
from .._release.models import has_failed, sentence_of
from .layout import bare, clipped
from .models import Fact, Group, Item, TaskEnded
from .tellers import facts_of

SILENT = frozenset(
    {f"easymo.deploy.{name}" for name in
     ("diagnosis", "release_info", "release_report", "release_variables", "rollout_info", "rollout_wave", "stop")}
    | {f"ansible.builtin.{name}" for name in
       ("add_host", "assert", "file", "gather_facts", "group_by", "import_role", "import_tasks", "include_role",
        "include_tasks", "meta", "set_fact", "setup", "tempfile", "validate_argument_spec")}
)  # fmt: skip
"""What only carries a run on, or is told elsewhere."""
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
        self._files: list[str] = []

    def note(self, event: TaskEnded) -> None:
        if event.task.action == REPORT:
            self._files += report_files(event.result)

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
        return [*facts, *(Fact("", clipped(one_line(line), REMARK), "") for line in lines)]

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
        for fact in facts:
            self._told.add(fact.text)
        if facts:
            # They are counted, and their exceptions are told.
            for line in (line for item in items for line in item.result.get("lines") or ()):
                self._told.add(one_line(str(line)))
        return [*facts, *_failures(ended, facts)]

    def _new_lines(self, ended: TaskEnded) -> list[str]:
        """Without what was told before, and without the report's path, which the end tells."""
        lines = [line for line in lines_of(ended) if not any(path in line for path in self._files)]
        return [line.rstrip() for line in lines if line.strip() and self._new(line)]

    def _new(self, text: str) -> bool:
        known = one_line(text) in self._told
        self._told.add(one_line(text))
        return not known


def lines_of(ended: TaskEnded) -> list[str]:
    """What a task has for people to read."""
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
