# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.release) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import release
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    KubernetesActionBase,
)


class ActionModule(KubernetesActionBase):
    module_spec = release.module_spec
    run_module = release.run
