# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.pod_environment) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import pod_environment
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = pod_environment.module_spec
    needs = pod_environment.NEEDS
    run_module = pod_environment.run
