# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.rollout_preflight) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import rollout_preflight
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = rollout_preflight.module_spec
    needs = rollout_preflight.NEEDS
    run_module = rollout_preflight.run
