# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.deployment_scale) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import deployment_scale
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = deployment_scale.module_spec
    needs = deployment_scale.NEEDS
    run_module = deployment_scale.run
