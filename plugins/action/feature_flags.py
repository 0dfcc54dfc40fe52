# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.feature_flags) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import feature_flags
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = feature_flags.module_spec
    needs = feature_flags.NEEDS
    run_module = feature_flags.run
