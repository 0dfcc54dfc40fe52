# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.edge_functions) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import edge_functions
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = edge_functions.module_spec
    needs = edge_functions.NEEDS
    run_module = edge_functions.run
