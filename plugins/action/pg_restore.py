# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.pg_restore) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import pg_restore
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = pg_restore.module_spec
    needs = pg_restore.NEEDS
    run_module = pg_restore.run
