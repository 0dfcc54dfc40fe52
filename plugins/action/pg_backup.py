# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.pg_backup) in a process of its own, with its progress on the screen."""

from __future__ import annotations

from ..plugin_utils._action_module import WatchedActionBase


class ActionModule(WatchedActionBase):
    pass
