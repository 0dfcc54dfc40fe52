# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.rollout) in the controller."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.modules import rollout
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    KubernetesActionBase,
)


class ActionModule(KubernetesActionBase):
    module_spec = rollout.module_spec
    run_module = rollout.run
