# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.kill_switch) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import kill_switch
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = kill_switch.module_spec
    needs = kill_switch.NEEDS
    run_module = kill_switch.run
