# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.rollout_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import rollout_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = rollout_info.module_spec
    needs = rollout_info.NEEDS
    run_module = rollout_info.run
