# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: lean
type: notification
short_description: Takes a fifth off the CPU of a run
version_added: 0.3.0
description:
  - Ansible runs each task in a copy of itself, and Python searches every copy for garbage anew, all that was loaded
    before the first task too. With this callback it leaves that out, and searches the rest less often.
  - The copies for several hosts would import the same module of this collection each for itself. With this callback
    it is imported before.
  - Ansible compiles a template whenever it is rendered, in each copy anew. With this callback a run does it once.
  - Ansible looks 500 times a second at whether a task has ended. With this callback it looks 50 times a second at one
    that waits for pods, metrics or people.
  - Changes nothing that a run does or says.
author:
  - Maintainers of easymo.deploy (@easymo)
seealso:
  - plugin: easymo.deploy.arguments
    plugin_type: callback
"""

import gc
import typing as t

from ansible import constants
from ansible.plugins.callback import CallbackBase

from ..plugin_utils._action_module import OURS, import_ahead, module_of
from ..plugin_utils._compiled import CompiledTemplates

NEW_OBJECTS = 100_000
"""Between two searches: most tasks end before the first, and a run holds a few MB more."""
WATCHING = frozenset(
    {"metrics_gate", "person_check", "pg_backup", "release_status_info", "rollout_wave"}
)
"""Modules that wait for others than this machine, mostly for minutes."""
LOOKS = 0.02
"""Seconds between two looks at whether such a task has ended. Looking each 2 ms takes 3 % of a core."""


class CallbackModule(CallbackBase):
    """What is loaded when a playbook starts lives as long as the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "easymo.deploy.lean"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._templates = CompiledTemplates()
        self._poll: float = constants.DEFAULT_INTERNAL_POLL_INTERVAL

    def v2_playbook_on_start(self, playbook: t.Any) -> None:  # noqa: ARG002 - Ansible's
        self._templates.install()
        gc.set_threshold(NEW_OBJECTS)
        gc.freeze()

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._prepare(task)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self._prepare(task)

    def _prepare(self, task: t.Any) -> None:
        import_ahead(task)
        self._templates.take()
        watches = module_of(task).removeprefix(OURS) in WATCHING
        constants.DEFAULT_INTERNAL_POLL_INTERVAL = max(self._poll, LOOKS if watches else 0)
