# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.feature_ramp_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import feature_ramp_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = feature_ramp_info.module_spec
    needs = feature_ramp_info.NEEDS
    run_module = feature_ramp_info.run
