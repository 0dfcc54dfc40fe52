# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = release_info.module_spec
    needs = release_info.NEEDS
    run_module = release_info.run
