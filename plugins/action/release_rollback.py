# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release_rollback) in the controller, where its progress is seen as it goes."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release_rollback
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = release_rollback.module_spec
    needs = release_rollback.NEEDS
    run_module = release_rollback.run
