# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release_status_info) in the controller, which knows what was typed and so what to type next."""

from __future__ import annotations

import typing as t

from ..modules import release_status_info
from ..plugin_utils._action_module import ControllerActionBase
from ..plugin_utils._process import typed_here


class ActionModule(ControllerActionBase):
    module = release_status_info

    def parameters(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        return {**given, **{name: given[name] or value for name, value in typed_here().items()}}
