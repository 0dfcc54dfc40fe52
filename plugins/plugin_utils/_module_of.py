# SPDX-License-Identifier: GPL-3.0-or-later
"""Which module a task names: where tasks are read, Ansible resolves all that run in the controller to one plugin."""

from __future__ import annotations

import importlib
import typing as t
from types import ModuleType

from ansible.plugins.loader import module_loader

OURS = "easymo.deploy."
IN_CONTROLLER = f"{OURS}in_controller"


def module_of(task: t.Any) -> str:
    """In full, also of one with an old name or without its collection's."""
    resolved = task.resolved_action
    if resolved == IN_CONTROLLER:
        resolved = module_loader.find_plugin_with_context(
            task.action, collection_list=task.collections
        ).resolved_fqcn
    return str(resolved or task.action)


def imported(name: str) -> ModuleType:
    """The Python of this collection's module."""
    module = name.removeprefix(OURS)
    return importlib.import_module(f"ansible_collections.easymo.deploy.plugins.modules.{module}")


def import_ahead(task: t.Any) -> None:
    """Before Ansible forks for each host: a fork would import its module and read its options anew."""
    if task.resolved_action == IN_CONTROLLER:
        imported(module_of(task)).module_spec()
