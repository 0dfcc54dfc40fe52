# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.rollout) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import rollout
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = rollout.module_spec
    needs = rollout.NEEDS
    run_module = rollout.run
