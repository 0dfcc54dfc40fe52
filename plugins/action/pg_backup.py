# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.pg_backup) in a process of its own, with progress on the screen, unless a backup serves already."""

from __future__ import annotations

from types import SimpleNamespace

from ..modules import pg_backup
from ..plugin_utils._action_module import ControllerActionBase, SparedActionBase


class BackupInPlace(ControllerActionBase):
    module = SimpleNamespace(module_spec=pg_backup.module_spec, run=pg_backup.look)


class ActionModule(SparedActionBase):
    looking = BackupInPlace
    result_key = "backup"
