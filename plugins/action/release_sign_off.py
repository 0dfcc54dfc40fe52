# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release_sign_off) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release_sign_off
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = release_sign_off.module_spec
    needs = release_sign_off.NEEDS
    run_module = release_sign_off.run
