# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.metrics_gate) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = metrics_gate.module_spec
    run_module = metrics_gate.run
