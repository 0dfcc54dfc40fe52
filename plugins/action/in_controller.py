# SPDX-License-Identifier: GPL-3.0-or-later
"""Any module of this collection in the controller: meta/runtime.yml routes them here."""

from __future__ import annotations

import typing as t

from ..module_utils._module import Result
from ..plugin_utils._action_module import ControllerActionBase, imported
from ..plugin_utils._process import typed_here


class ActionModule(ControllerActionBase):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        self._load_name = self._task.resolved_action
        self.module = imported(self._load_name)
        return super().run(tmp, task_vars)

    def parameters(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        """A module that tells commands gets how they are typed here."""
        return {**given, **typed_here(given)} if "playbooks" in given else given
