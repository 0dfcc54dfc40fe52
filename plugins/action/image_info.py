# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.image_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import image_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = image_info.module_spec
    needs = image_info.NEEDS
    run_module = image_info.run
