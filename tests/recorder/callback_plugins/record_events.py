"""Writes what happens in a run as the console's events, one JSON object a line, into $EASYMO_RECORD_EVENTS."""

DOCUMENTATION = """
name: record_events
type: notification
short_description: Records a run for the console's tests
description: See tests/recorder/README.md.
"""

import json
import os
import re
import threading
import time
import typing as t
from dataclasses import asdict, replace
from pathlib import Path

from ansible.plugins.callback import CallbackBase

from ansible_collections.easymo.deploy.plugins.module_utils._progress import Progress, subscribe
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._release.models import has_failed
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    Event,
    Reported,
    RunEnded,
    TaskBegun,
    TaskEnded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.telling import RECORDS
from ansible_collections.easymo.deploy.plugins.plugin_utils._process import when_cut_short
from ansible_collections.easymo.deploy.plugins.plugin_utils._run_events import (
    PlayVariables,
    begun,
    ended,
    phases_of,
    play_of,
    run_of,
    selected,
)

LONGEST_TEXT, LONGEST_LIST = 2_000, 60
UNUSED = frozenset(
    {
        *("attachments", "diff", "exception", "invocation", "known", "locks"),
        *("manifest", "pins", "rows", "samples", "staged", "steps"),
    }
)
PHASE = ("status", "started", "finished", "earlier_failures")
TOLD_NOTHING = frozenset(
    {"easymo.deploy.rollout_wave"}
    | {
        f"ansible.builtin.{name}"
        for name in ("assert", "set_fact", "include_role", "include_tasks")
    }
    | {"ansible.builtin.validate_argument_spec", "ansible.builtin.tempfile"}
)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._file = Path(os.environ["EASYMO_RECORD_EVENTS"]).open("w", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()
        self._redact = Redactor()
        self._title, self._phases, self._open = "", (), False
        self._start = time.monotonic()

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._title = Path(playbook._file_name or "").name
        self._phases = phases_of(playbook)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        if not self._open:
            self._open = True
            self._redact = Redactor(variables.secrets())
            self._write(run_of(variables, self._title, self._phases, self._redact))
            subscribe(self._progressed)
            when_cut_short(lambda: self._end("interrupted"))
        told = play_of(play, self._redact)
        if told.hosts and selected(play, variables):
            self._write(told)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._write(begun(host, task, self._redact))

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write(ended(result, "ok", self._redact))

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._write(ended(result, "skipped", self._redact))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write(ended(result, "failed", self._redact, ignored=ignore_errors))

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._write(ended(result, "unreachable", self._redact))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        bad = any(stats.failures.values()) or any(stats.dark.values())
        self._end("failed" if bad else "done")

    def _progressed(self, one: Progress) -> None:
        self._write(Reported(one.event, one.host, one.text, one.data, time.monotonic()))

    def _end(self, ending: t.Any) -> None:
        if not self._file.closed:
            self._write(RunEnded(ending, time.monotonic()))
            self._file.close()

    def _write(self, event: Event) -> None:
        if isinstance(event, (TaskBegun, TaskEnded)) and event.task.action in TOLD_NOTHING:
            return
        if isinstance(event, TaskEnded):
            event = replace(event, result=told(event))
        fields = shortened({"kind": type(event).__name__, **asdict(event)})
        fields["at"] = round(fields["at"] - self._start, 2)
        with self._lock:
            line = self._redact(json.dumps(fields, default=str, ensure_ascii=False))
            self._file.write(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40000", line) + "\n")
            self._file.flush()


def told(event: TaskEnded) -> dict[str, t.Any]:
    """What a line may be made of."""
    result = dict(event.result)
    if isinstance(result.get("results"), list):
        # Of what tells a failed round nothing else is kept.
        result["results"] = [
            {**one, "failed": True} if has_failed(one) else one for one in result["results"]
        ]
    if event.status == "failed":
        return result
    if event.task.action in RECORDS:
        return {"document": json.dumps(chosen(json.loads(result.get("document") or "{}")))}
    return {} if event.status == "skipped" else result


def chosen(record: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kept = {name: record.get(name) for name in ("version", "attempt", "status")}
    phases = record.get("phases") or {}
    return kept | {
        "phases": {
            name: {
                key: [{k: tried.get(k) for k in ("started", "finished")} for tried in phase[key]]
                if key == "earlier_failures"
                else phase.get(key)
                for key in PHASE
            }
            for name, phase in phases.items()
        }
    }


def shortened(value: t.Any) -> t.Any:
    """Without what is long and what no line is made of."""
    if isinstance(value, dict):
        return {str(k): shortened(v) for k, v in value.items() if k not in UNUSED}
    if isinstance(value, (list, tuple)):
        return [shortened(one) for one in value[:LONGEST_LIST]]
    return value[:LONGEST_TEXT] if isinstance(value, str) else value
