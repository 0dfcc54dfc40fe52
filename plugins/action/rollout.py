# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of this file's name in the controller. Most action plugins are links to this file."""

from __future__ import annotations

import importlib

from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
)

NAME = __name__.rpartition(".")[2]
module = importlib.import_module(f"ansible_collections.easymo.deploy.plugins.modules.{NAME}")


class ActionModule(ControllerActionBase):
    module_spec = module.module_spec
    needs = getattr(module, "NEEDS", ())
    run_module = module.run
