# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Tells in the terminal how far a release is, and how that compares with its plan
version_added: 0.3.0
description:
  - Stands beside whatever callback prints the tasks, and adds lines of its own - when a phase begins, when it ends,
    when a task has been silent for long, and at the end of the run.
  - A phase begins with its number, its planned time, the time since the start, and how far the run is behind or ahead
    of the plan. It ends with the time it took and the tasks that changed something.
  - The run ends with a table of all phases, planned and actual, with what failed in one sentence, and with the
    command to type next. After Ctrl-C, SIGTERM or SIGHUP the last lines tell how to resume.
  - A task that shows nothing is mentioned after 15 seconds, then after 30 more, then every minute. Nothing is printed
    while somebody is asked at the terminal.
  - Phases are the plays with a variable C(release_phase_name), and the plan is the variable C(release_plan) of
    localhost, a list of C(name), C(title) and C(minutes). Without a plan, and in other playbooks, plays are told as
    they are named.
  - What earlier runs of the same attempt took is read from the results of M(easymo.deploy.release).
  - In check mode it says so, and tells what would change.
  - Colours are those of Ansible - none with C(NO_COLOR) or C(ANSIBLE_NOCOLOR), where the output is no terminal, and
    in the file of C(ANSIBLE_LOG_PATH). Lines are only ever added, so a log has no carriage returns.
  - Secrets that the run knows are blanked out. Arguments of tasks and values of extra variables are never shown.
  - Never fails a run. What goes wrong in it is one warning.
author:
  - EasyMO (@easymo)
options:
  progress_heartbeat:
    description: Whether tasks that are silent for long are mentioned.
    type: bool
    default: true
    env:
      - name: EASYMO_DEPLOY_PROGRESS_HEARTBEAT
    ini:
      - section: callback_easymo_progress
        key: heartbeat
seealso:
  - plugin: easymo.deploy.journal
    plugin_type: callback
    description: The same events with all their details, in a file.
  - plugin: easymo.deploy.slack
    plugin_type: callback
    description: The same progress for people who are elsewhere.
"""

import os
import sys
import threading
import time
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible import constants as C  # noqa: N812 - as Ansible calls it
from ansible import context
from ansible.plugins.callback import CallbackBase

from ..module_utils._messages.redactor import Redactor
from ..module_utils._progress import Progress, subscribe
from ..module_utils._release.failure import is_hold
from ..module_utils._terminal.commands import ALL, Command
from ..module_utils._terminal.heartbeat import Heartbeat
from ..module_utils._terminal.idle_detector import FIRST, IdleDetector
from ..module_utils._terminal.models import Ending, Failure, Line, Planned, Play, Tone
from ..module_utils._terminal.previous_runs import earlier_runs
from ..module_utils._terminal.screen import Screen
from ..module_utils._terminal.summary import summary
from ..module_utils._time import utc_milliseconds
from ..plugin_utils._command_line import extra_variable_names, playbooks, shown_options
from ..plugin_utils._interruption import held_if_free, when_cut_short
from ..plugin_utils._observing import (
    PlayVariables,
    host_names,
    observing,
    selected,
    sentence,
    task_name,
)

RECORDS = frozenset({"easymo.deploy.release", "easymo.deploy.release_info"})
COLORS: t.Mapping[Tone, str | None] = {
    "": None,
    "head": C.COLOR_HIGHLIGHT,
    "good": C.COLOR_OK,
    "warn": C.COLOR_WARN,
    "bad": C.COLOR_ERROR,
    "calm": C.COLOR_VERBOSE,
}


def read_plan(value: t.Any) -> tuple[Planned, ...]:
    """Of what is no list of phases, nothing."""
    entries = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(
        Planned(str(one["name"]), str(one.get("title") or one["name"]), 60.0 * one["minutes"])
        for one in entries
        if "name" in one and isinstance(one.get("minutes"), (int, float))
    )


def phases_of(playbook: t.Any) -> tuple[str, ...]:
    """The phases whose plays it holds, those of what it imports too."""
    named = (
        str((play.vars or {}).get("release_phase_name") or "") for play in playbook.get_plays()
    )
    return tuple(dict.fromkeys(filter(None, named)))


def command_of(play: t.Any) -> Command:
    typed, options = playbooks(), shown_options()

    def beside(name: str) -> str:
        other = Path(typed[0]).with_name(name) if typed else Path(name)
        return (
            str(other) if other.name not in map(os.path.basename, typed) and other.is_file() else ""
        )

    return Command(
        playbooks=tuple(typed),
        inventories=tuple(options.get("inventory") or ()),
        tags=tuple(options.get("tags") or ALL),
        limit=str(options.get("limit") or ""),
        check=bool(context.CLIARGS.get("check")),
        extra_variables=bool(extra_variable_names(play)),
        release=beside("deploy_v2.yml"),
        rollback=beside("rollback.yml"),
        ramp=beside("ramp.yml"),
    )


class CallbackModule(CallbackBase):
    """Forwards what Ansible says to a Screen, and the Screen's lines to Ansible's display."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "easymo.deploy.progress"
    TITLE = "The progress callback"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        # Callbacks come from Ansible's main thread and from the one that reads the workers' results.
        self._lock = threading.RLock()
        self._screen: Screen | None = None
        self._quiet = IdleDetector()
        self._redact = Redactor()
        self._command: Command | None = None
        self._phases: tuple[str, ...] = ()
        self._title = ""
        self._began = utc_milliseconds()
        self._started = time.monotonic()
        self._over = False
        self._pulse: Heartbeat | None = None
        self._unsubscribe: t.Callable[[], None] = lambda: None

    @observing
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._title = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        self._began, self._started = utc_milliseconds(), time.monotonic()
        self._phases += phases_of(playbook)

    @observing
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        if self._screen is None:
            self._open(play, variables)
        names = host_names(play)
        if not names or not selected(play, variables) or self._screen is None:
            return
        phase = str((play.vars or {}).get("release_phase_name") or "")
        with self._lock:
            told = Play(self._redact(play.get_name()), phase, names)
            self._show(self._screen.play_started(told, time.monotonic()))

    def _open(self, play: t.Any, variables: PlayVariables) -> None:
        plan = read_plan(variables.raw("release_plan"))
        release = variables.get("release_version")
        if release:
            self._title = f"Release {release} · {self._title}"
        self._redact = Redactor(variables.secrets())
        self._command = command_of(play)
        self._screen = Screen(plan, self._started, check=self._command.check)
        self._unsubscribe = subscribe(self._progressed)
        if self.get_option("progress_heartbeat"):
            self._pulse = Heartbeat(self._beat)
            self._pulse.start()
        when_cut_short(self._interrupted)

    @observing
    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        name, now = self._redact(task_name(task)), time.monotonic()
        action = str(task.resolved_action or task.action)
        with self._lock:
            self._quiet.began(host.get_name(), task._uuid, name, action, now)

    @observing
    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._said()

    @observing
    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._ended(result)
        if self._screen is None:
            return
        action = str(result.task.resolved_action or result.task.action)
        with self._lock:
            # What is written about a release changes nothing of the platform.
            if action in RECORDS:
                earlier = earlier_runs(result.result.get("record"), self._began)
                self._show(self._screen.recorded(earlier))
            elif result.result.get("changed"):
                name = self._redact(task_name(result.task))
                self._screen.changed(result.host.get_name(), name)

    @observing
    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result)

    @observing
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result)
        if not ignore_errors:
            self._failed(result)

    @observing
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result)
        self._failed(result)

    @observing
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        bad = any(stats.failures.values()) or any(stats.dark.values())
        self._finish("failed" if bad else "done")

    @observing
    def _progressed(self, progress: Progress) -> None:  # noqa: ARG002 - its action plugin has shown it
        self._said()

    @observing
    def _interrupted(self) -> None:
        self._finish("interrupted")
        # A signal ends the process without writing out what is waiting.
        sys.stdout.flush()

    def _failed(self, result: t.Any) -> None:
        name, why = task_name(result.task), sentence(result.result)
        with self._lock:
            if self._screen:
                missing = tuple(map(str, result.result.get("missing_phases") or ()))
                host = result.host.get_name()
                failure = Failure(
                    host, self._redact(name), self._redact(why), missing, is_hold(result.result)
                )
                self._screen.failed(failure)

    def _ended(self, result: t.Any) -> None:
        with self._lock:
            self._quiet.ended(result.host.get_name(), result.task._uuid)
        self._said()

    def _said(self) -> None:
        with self._lock:
            self._quiet.said(time.monotonic())

    def _beat(self) -> float:
        if self.silent:
            return FIRST
        with self._lock:
            lines, again = self._quiet.beat(time.monotonic())
            for line in lines:
                self._print(line)
        return again

    def _finish(self, ending: Ending) -> None:
        """Once: a run that ended by itself is not interrupted afterwards."""
        if self._over or self._screen is None or self._command is None:
            return
        self._over = True
        if self._pulse:
            self._pulse.stop()
        if ending != "interrupted":
            self._unsubscribe()
        with held_if_free(self._lock):
            now = time.monotonic()
            self._show(self._screen.ended(ending, now))
            command = replace(self._command, phases=self._phases)
            self._show(summary(self._screen, self._title, command, ending, now))

    def _show(self, lines: t.Sequence[Line]) -> None:
        for line in lines:
            self._print(line)
        if lines:
            self._quiet.said(time.monotonic())

    def _print(self, line: Line) -> None:
        self._display.display(line.text, color=COLORS[line.tone])
