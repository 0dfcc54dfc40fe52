# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.deploy_lock_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import deploy_lock_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = deploy_lock_info.module_spec
    needs = deploy_lock_info.NEEDS
    run_module = deploy_lock_info.run
