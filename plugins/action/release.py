# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = release.module_spec
    needs = release.NEEDS
    run_module = release.run
