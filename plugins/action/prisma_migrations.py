# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.prisma_migrations) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import prisma_migrations
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)


class ActionModule(ControllerActionBase):
    module_spec = prisma_migrations.module_spec
    needs = prisma_migrations.NEEDS
    run_module = prisma_migrations.run
