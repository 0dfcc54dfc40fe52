# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.smoke_tests) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = smoke_tests.module_spec
    run_module = smoke_tests.run
