# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.feature_ramp) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import feature_ramp
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = feature_ramp.module_spec
    needs = feature_ramp.NEEDS
    run_module = feature_ramp.run
