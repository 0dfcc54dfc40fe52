# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.deploy_lock) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = deploy_lock.module_spec
    needs = deploy_lock.NEEDS
    run_module = deploy_lock.run
