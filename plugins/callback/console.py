# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: console
type: stdout
short_description: Shows a release on one screen
version_added: 0.2.0
description:
  - Says what was done and seen, a line for each thing that is finished, and ends with what came of it and the command
    to type next. A failure is one block - its cause, how the platform stands now, who was told, what to type.
  - C(docs/progress.md) tells what it shows at a terminal, in a log, and with C(-v), C(--check) and C(--diff).
  - Phases are the plays with a variable C(release_phase_name), and the plan is the variable C(release_plan) of
    localhost, a list of C(name), C(title) and C(minutes).
  - The whole evidence of a failure is written to C(failure-N.yml) in the folder of the variable C(report_directory),
    and not in check mode.
  - Secrets that the run knows and what looks like one are blanked out of all that Ansible prints, with C(-v) to
    C(-vvv) and in its log too. Without C(-v) arguments of tasks are never shown.
  - Never fails a run. What goes wrong in it is one warning, and Ansible's own output from there on.
author:
  - Maintainers of easymo.deploy (@easymo)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import os
import threading
import time
import typing as t

from ansible import constants as C  # noqa: N812 - as Ansible calls it
from ansible.plugins.callback.default import CallbackModule as Default

from ..module_utils._progress import DRAWN, Progress, subscribe
from ..module_utils._redaction import Redactor
from ..module_utils._terminal.console import NOT_BEGUN, Console
from ..module_utils._terminal.models import Ending, Event, Line, RunEnded, Tone
from ..module_utils._terminal.run import FIRST, heartbeat
from ..module_utils._terminal.telling import records
from ..plugin_utils import _run_events
from ..plugin_utils._process import held_if_free, when_cut_short
from ..plugin_utils._run_events import PlayVariables, host_names, observing, selected
from ..plugin_utils._screen import LiveScreen, write_failures

COLORS: t.Mapping[Tone, str | None] = {
    "": None,
    "head": C.COLOR_HIGHLIGHT,
    "good": C.COLOR_OK,
    "warn": C.COLOR_WARN,
    "bad": C.COLOR_ERROR,
    "calm": C.COLOR_VERBOSE,
}
REDRAWN = 0.5
"""Seconds between two drawings of the last line."""


class CallbackModule(Default):
    """Forwards what Ansible says to a Console, and its lines to the display; what is not ours, to the parent."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "easymo.deploy.console"
    TITLE = "The console callback"

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self._verbose = self._display.verbosity > 0
        # Callbacks come from Ansible's main thread and from the one that reads the workers' results.
        self._lock = threading.RLock()
        self._console = Console(verbose=self._verbose)
        self._redact = Redactor()
        self._screen: LiveScreen | None = None
        self._title, self._folder = "", ""
        self._phases: tuple[str, ...] = ()
        self._foreign = False
        self._over = False
        self._still: t.Callable[[], None] = lambda: None
        self._unsubscribe: t.Callable[[], None] = lambda: None

    # --- a playbook and its plays ------------------------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._started(playbook)
        if self._plain:
            super().v2_playbook_on_start(playbook)

    @observing
    def _started(self, playbook: t.Any) -> None:
        # One of several playbooks begins: each has its own beginning and end.
        if self._over:
            self._over, self._console = False, Console(verbose=self._verbose)
        if self._screen is None:
            self._screen = LiveScreen(self._display, os.environ, lambda text: self._redact(text))
        self._title = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        self._phases += _run_events.phases_of(playbook)

    def _dump_results(self, result: t.Mapping[str, t.Any], *args: t.Any, **options: t.Any) -> str:
        """The whole record of a release has thousands of lines: as an invocation, it is shown from -vvv on."""
        if self._display.verbosity < 3:
            result = {k: entry for k, entry in result.items() if k not in ("record", "document")}
        shown: str = super()._dump_results(result, *args, **options)
        return shown

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play
        ours = _run_events.is_ours(play)
        foreign = self._verbose or not ours
        # The end of the phase before stands above the next play's banner.
        if self._verbose:
            self._begin_play(play)
        if foreign:
            super().v2_playbook_on_play_start(play)
        if not self._verbose:
            self._begin_play(play)
            if self.silent and not foreign:
                super().v2_playbook_on_play_start(play)
        self._foreign = self._foreign or not ours

    @observing
    def _begin_play(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        if self._console.begun is NOT_BEGUN:
            self._open(variables)
        if host_names(play) and selected(play, variables):
            self._on(_run_events.play_of(play, self._redact))

    def _open(self, variables: PlayVariables) -> None:
        self._redact = Redactor(variables.secrets())
        # The folder is made of the version. With one that is refused its path may lead anywhere.
        strange = "/" in variables.get("release_version")
        self._folder = "" if strange else variables.get("report_directory")
        self._on(_run_events.run_of(variables, self._title, self._phases, self._redact))
        self._unsubscribe = subscribe(self._progressed)
        if not self._verbose:
            os.environ[DRAWN] = "1"
        self._still = heartbeat(self._beat)
        when_cut_short(lambda: self._finish("interrupted"))

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self._plain or not _run_events.is_ours(self._play):
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        if self._plain or not _run_events.is_ours(self._play):
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._plain or self._foreign:
            super().v2_playbook_on_stats(stats)
        self._finish(_run_events.ending_of(stats))

    # --- tasks -------------------------------------------------------------------------------------------------------

    @property
    def _plain(self) -> bool:
        """Whether Ansible's own output is shown."""
        return self._verbose or self.silent

    def _own(self, task: t.Any) -> bool:
        return not self._plain and _run_events.is_ours(task)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if self._own(task):
            # So that the parent, asked for a result of this task, prints this one's name.
            self._last_task_name = None
            return
        super().v2_playbook_on_task_start(task, is_conditional)
        self._spoke()

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        if not self._own(task):
            super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if not self._own(included_file._task):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_notify(self, handler: t.Any, host: t.Any) -> None:
        if not self._own(handler):
            super().v2_playbook_on_notify(handler, host)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        super().v2_runner_on_start(host, task)
        self._feed(_run_events.begun, host, task, self._redact)

    def _told(self, result: t.Any, by_ansible: t.Callable[..., None], *more: t.Any) -> None:
        """The Console has it; of what is not ours Ansible tells too, and of ours the warnings alone."""
        if self._own(result.task):
            self._handle_warnings(result.result)
        else:
            by_ansible(result, *more)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._feed(_run_events.ended, result, "ok", self._redact)
        self._told(result, super().v2_runner_on_ok)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._feed(_run_events.ended, result, "skipped", self._redact)
        self._told(result, super().v2_runner_on_skipped)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        usual = _run_events.expected(result)
        self._feed(_run_events.ended, result, "failed", self._redact, ignored=ignore_errors)
        if usual:
            self._told(result, super().v2_runner_on_failed, ignore_errors)
        else:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        ignored = bool(result.task.ignore_unreachable)
        self._feed(_run_events.ended, result, "unreachable", self._redact, ignored=ignored)
        super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._told(result, super().v2_runner_item_on_ok)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        if _run_events.expected(result):
            self._told(result, super().v2_runner_item_on_failed)
        else:
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        if not self._own(result.task):
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: t.Any) -> None:
        if not self._own(result.task):
            super().v2_runner_retry(result)

    def v2_on_file_diff(self, result: t.Any) -> None:
        if self._own(result.task):
            self._differs(result)
        else:
            super().v2_on_file_diff(result)

    @observing
    def _differs(self, result: t.Any) -> None:
        """What --diff asks for, but for the record's book of phases, which -v shows."""
        rounds = result.result.get("results") if result.task.loop else None
        shown = [entry.get("diff") for entry in rounds or [result.result] if entry.get("changed")]
        texts = [self._get_diff(entry) for entry in shown if entry]
        task = _run_events.task_of(result.task, self._redact)
        if records(task.action, result.result) or not any(texts):
            return
        with self._lock:
            where = str(result.host.get_name())
            self._show(self._console.differs(task, where, [text for text in texts if text]))

    # --- the console -------------------------------------------------------------------------------------------------

    def _progressed(self, progress: Progress) -> None:
        if self._verbose:
            self._spoke()
        self._feed(_run_events.reported, progress)

    @observing
    def _feed(self, event_of: t.Callable[..., Event], *args: t.Any, **named: t.Any) -> None:
        self._on(event_of(*args, **named))

    def _on(self, event: Event) -> None:
        # The display's lock first: ansible-runner holds it while callbacks run, and a report comes in another thread.
        with self._display._lock, self._lock:
            self._show(self._console.on(event, LiveScreen.columns()))

    @observing
    def _finish(self, ending: Ending) -> None:
        """Once: a run that ended by itself is not interrupted afterwards."""
        if self._over or self._screen is None:
            return
        self._over = True
        os.environ.pop(DRAWN, None)
        self._still()
        if ending != "interrupted":
            self._unsubscribe()
        with held_if_free(self._display._lock), held_if_free(self._lock):
            failures = self._console.evidence if ending == "failed" else []
            if not self._console.begun.command.check:
                path = write_failures(self._folder, failures, self._redact)
                self._console.block.detail = path
            self._show(self._console.on(RunEnded(ending, time.monotonic()), LiveScreen.columns()))
            self._screen.close()
            self._screen = None

    def _beat(self) -> float:
        if self.silent or self._over or self._screen is None:
            return FIRST
        now = time.monotonic()
        if not self._display._lock.acquire(blocking=False):
            return REDRAWN
        try:
            with self._lock:
                if self._screen.live and not self._verbose:
                    text = self._console.live.text(now)
                    self._screen.draw(self._redact(f"    … {text}" if text else ""))
                    return REDRAWN
                due, again = self._console.live.due(now)
                # Not as something that was said, after which the silence would begin anew.
                self._print(self._console.waiting(now) if due else [])
        finally:
            self._display._lock.release()
        return again

    def _spoke(self) -> None:
        with self._lock:
            self._console.live.printed(time.monotonic())

    def _show(self, lines: t.Sequence[Line]) -> None:
        self._print(lines)
        if lines:
            self._spoke()

    def _print(self, lines: t.Sequence[Line]) -> None:
        for line in lines:
            self._display.display(line.text, color=COLORS[line.tone])
