# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.supabase_migrations) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import supabase_migrations
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = supabase_migrations.module_spec
    needs = supabase_migrations.NEEDS
    run_module = supabase_migrations.run
