# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.pg_query_info) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import pg_query_info
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = pg_query_info.module_spec
    needs = pg_query_info.NEEDS
    run_module = pg_query_info.run
