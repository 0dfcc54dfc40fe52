# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.preflight_check) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import preflight_check
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = preflight_check.module_spec
    run_module = preflight_check.run
