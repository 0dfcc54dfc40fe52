# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: journal
type: notification
short_description: Writes what happened in a run to a file, one JSON line for each event
version_added: 0.1.0
description:
  - Each line has the run's id (C(run)), its number in that run (C(seq)), the time in UTC to the millisecond (C(at)),
    the C(event), and where they apply play, task, host, duration and message. C(docs/progress.md) has the events.
  - A run that was killed has no last line, C(run_finished), and no half one.
  - Several runs append to one file, which only its owner may read.
  - Arguments of tasks are never written. Of results, only what the documentation of this collection's modules
    promises, with secrets blanked out.
  - Without O(journal_path) and without a variable C(release_version) nothing is written.
  - A journal that can't be written is one warning; the run goes on. At 50 MB it stops growing.
author:
  - Maintainers of easymo.deploy (@easymo)
options:
  journal_path:
    description: The file. Without it, C(.deploy/<release_version>/journal.jsonl) in the current directory.
    type: path
    env:
      - name: EASYMO_DEPLOY_JOURNAL_PATH
    ini:
      - section: callback_easymo_journal
        key: path
"""

import functools
import json
import os
import platform
import re
import threading
import time
import typing as t
import uuid
from pathlib import Path

from ansible import context
from ansible.module_utils.ansible_release import __version__ as core_version
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.loader import module_loader

from ..module_utils._arguments import user_here
from ..module_utils._progress import Progress
from ..module_utils._redaction import Redactor
from ..module_utils._release.models import CENSORED, RECORD_KEYS, sentence_of
from ..module_utils._terminal.models import Status
from ..module_utils._time import utc_milliseconds
from ..plugin_utils._action_module import imported, module_of
from ..plugin_utils._process import collection_version, shown_options
from ..plugin_utils._run_events import Observer, PlayVariables, ending_of, observing, task_name

OURS = "easymo.deploy."
EVENTS: t.Mapping[Status, str] = {
    "ok": "task_ok",
    "failed": "task_failed",
    "unreachable": "host_unreachable",
    "skipped": "task_skipped",
}
ALWAYS_KEPT = frozenset({"msg", "reason"})
BYTES = 50_000_000
LINE_LIMIT = 16_000
"""Characters of one line; a larger result is left out and the line says so."""


@functools.cache
def documented(module: str) -> frozenset[str]:
    """The keys that the module's RETURN promises."""
    returned = imported(module).RETURN if module_loader.has_plugin(module) else ""
    return ALWAYS_KEPT | frozenset(yaml_load(returned) or {})


def promised(result: t.Mapping[str, t.Any], module: str) -> dict[str, t.Any] | None:
    """What of a result may be written: None for foreign modules and hidden results.

    A result that is too long is left out as a whole, so the record goes first.
    """
    if not module.startswith(OURS) or "censored" in result:
        return None
    if isinstance(result.get("results"), list) and "results" not in documented(module):
        items = [item for item in result["results"] if isinstance(item, dict)]
        return {"results": [promised(item, module) for item in items]}
    return {
        name: result[name] for name in sorted(documented(module) - RECORD_KEYS) if name in result
    }


class Journal:
    """Appends the events of one run to a file that only its owner may read.

    Each line goes out in one write at the file's end, so runs that share it never mix, and a run that is killed leaves
    whole lines. `warn` is told once when nothing can be written.
    """

    def __init__(self, warn: t.Callable[[str], None]) -> None:
        self._warn = warn
        self._lock = threading.Lock()
        self._file: int | None = None
        self._sequence = 0
        self.started = utc_milliseconds()
        second = re.sub("[-:Z]|[.].*", "", self.started)
        # Sorts by time, and is another's nowhere: "20261124T090000Z-3f9a1c2e".
        self.run = f"{second}Z-{uuid.uuid4().hex[:8]}"

    def open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            os.fchmod(self._file, 0o600)
            # A full disk or a lost machine may have torn the last line of an earlier run.
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as exc:
            self._stop(
                f"The journal {path} can't be written ({exc.strerror}): the run goes on without it."
            )

    def write(self, event: str, **fields: t.Any) -> None:
        """One line: `run`, `seq`, `at`, `event` and the fields that are not None."""
        known = {name: value for name, value in fields.items() if value is not None}
        with self._lock:
            if self._file is None:
                return
            line = self._line({"event": event, **known})
            full = os.fstat(self._file).st_size + len(line) > BYTES
            if full:
                line = self._line({"event": "journal_full"})
            try:
                written = os.write(self._file, line)
            except OSError as exc:
                why = f"The journal can't be written ({exc.strerror})"
                self._stop(f"{why}: the run goes on without it.")
                return
            if written < len(line):
                self._stop("The journal's disk is full: the run goes on without it.")
            elif full:
                why = f"The journal is full ({BYTES} bytes)"
                self._stop(f"{why}: the rest of the run is not in it.")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, fields: dict[str, t.Any]) -> bytes:
        """What is too long is left without its result, and with the beginnings of its texts."""
        self._sequence += 1
        entry = {"run": self.run, "seq": self._sequence, "at": utc_milliseconds(), **fields}
        line = json.dumps(entry, ensure_ascii=False, default=str)
        if len(line) > LINE_LIMIT:
            short = {k: v[:2_000] if isinstance(v, str) else v for k, v in entry.items()}
            short |= {"result": None, "truncated": True}
            line = json.dumps(short, ensure_ascii=False, default=str)
        return line.encode() + b"\n"

    def _stop(self, why: str) -> None:
        self.close()
        self._warn(why)


class CallbackModule(Observer):
    """Forwards what Ansible says to a Journal."""

    CALLBACK_NAME = "easymo.deploy.journal"
    TITLE = "The journal"

    def __init__(self) -> None:
        super().__init__()
        self._journal = Journal(self._display.warning)
        self._opened = False
        self._play = ""
        self._task_started: dict[tuple[str, str], float] = {}

    @observing
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._playbook = os.path.basename(playbook._file_name or "")  # noqa: PTH119

    @observing
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        if not self._opened:
            self._open(play)
        self._play = self._redact(play.get_name())
        self._write("play_started", play=self._play)

    def _open(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        release = re.sub(r"[^\w.+-]", "_", variables.get("release_version")).strip(".")
        path = self.get_option("journal_path") or (release and f".deploy/{release}/journal.jsonl")
        self._opened = True
        if not path:
            return
        self._redact = Redactor(variables.secrets())
        self._journal.open(Path(path))
        self._write(
            "run_started",
            at=self._journal.started,
            release=release or None,
            playbook=self._playbook,
            user=user_here(),
            controller=platform.node(),
            pid=os.getpid(),
            extra_variables=sorted(play.get_variable_manager().extra_vars),
            options=shown_options(),
            check=bool(context.CLIARGS.get("check")),
            collection=collection_version(),
            ansible_core=core_version,
            python=platform.python_version(),
        )
        self._listen(self._progressed)

    @observing
    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._task_started[(host.get_name(), task._uuid)] = time.monotonic()
        self._write("task_started", play=self._play, task=task_name(task), host=host.get_name())

    @observing
    def v2_runner_retry(self, result: t.Any) -> None:
        self._result("task_retried", result)

    @observing
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._unsubscribe()
        hosts = {host: dict(stats.summarize(host)) for host in sorted(stats.processed)}
        self._finish(ending_of(stats), hosts)

    def _finish(self, outcome: str, hosts: dict[str, t.Any] | None = None) -> None:
        """The last line. What was closed before is not written to again."""
        self._write("run_finished", outcome=outcome, hosts=hosts)
        self._journal.close()

    @observing
    def _progressed(self, progress: Progress) -> None:
        self._write(
            "progress",
            host=progress.host,
            what=progress.event,
            msg=progress.text,
            data=progress.data or None,
        )

    def _ended(self, result: t.Any, status: Status, *, ignored: bool = False) -> None:
        self._result(EVENTS[status], result, ignored=ignored or None)

    def _result(self, event: str, result: t.Any, **more: t.Any) -> None:
        host, task, matching = result.host.get_name(), result.task, result.result
        started = self._task_started.pop((host, task._uuid), None)
        failed = event in ("task_failed", "host_unreachable")
        self._write(
            event,
            play=self._play,
            task=task_name(task),
            action=task.action,
            host=host,
            changed=bool(matching.get("changed")) if event == "task_ok" else None,
            duration=None if started is None else round(time.monotonic() - started, 3),
            msg=CENSORED if "censored" in matching else sentence_of(matching) if failed else None,
            result=promised(matching, module_of(task)),
            **more,
        )

    def _write(self, event: str, **fields: t.Any) -> None:
        self._journal.write(event, **self._redact.within(fields))
