# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release_decision) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release_decision
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = release_decision.module_spec
    needs = release_decision.NEEDS
    run_module = release_decision.run
