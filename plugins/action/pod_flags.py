# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of this name in the controller."""

from __future__ import annotations

from ..plugin_utils._action_module import controller_action

ActionModule = controller_action(__name__)
