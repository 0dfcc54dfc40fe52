# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.alert_rules) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import alert_rules
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = alert_rules.module_spec
    needs = alert_rules.NEEDS
    run_module = alert_rules.run
