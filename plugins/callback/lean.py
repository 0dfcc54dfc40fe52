# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: lean
type: notification
short_description: Takes a tenth off the CPU of a run
version_added: 0.3.0
description:
  - Ansible runs each task in a copy of itself, and Python searches every copy for garbage anew, all that was loaded
    before the first task too. With this callback it leaves that out, and searches the rest less often.
  - The copies for several hosts would import the same module of this collection each for itself. With this callback
    it is imported before.
  - Ansible compiles the modules of a collection anew in each run. With this callback Python keeps those of this one
    compiled, in folders named C(__pycache__) beside them, where it may write.
  - Changes nothing that a run does or says.
author:
  - Maintainers of easymo.deploy (@easymo)
seealso:
  - plugin: easymo.deploy.arguments
    plugin_type: callback
"""

import functools
import gc
import sys
import typing as t
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader

from ansible.plugins.callback import CallbackBase

from ..plugin_utils._action_module import import_ahead

NEW_OBJECTS = 100_000
"""Between two searches: most tasks end before the first, and a run holds a few MB more."""
PLUGINS = f"{__name__.rpartition('.callback.')[0]}."


class Compiled(MetaPathFinder):
    """Finds this collection's modules as Python finds others; what it doesn't find is left to Ansible."""

    def find_spec(
        self,
        fullname: str,
        path: t.Sequence[str] | None,
        target: t.Any = None,  # noqa: ARG002 - Python's
    ) -> ModuleSpec | None:
        if not path or not fullname.startswith(PLUGINS):
            return None
        spec = _folder(path[0]).find_spec(fullname)
        # A folder without a file of its own has no loader: it is Ansible's to make a package of.
        return spec if spec and spec.loader else None


@functools.cache
def _folder(path: str) -> FileFinder:
    """Not by sys.path_hooks, where Ansible has put its own."""
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))


class CallbackModule(CallbackBase):
    """What is loaded when a playbook starts lives as long as the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "easymo.deploy.lean"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        if not any(isinstance(finder, Compiled) for finder in sys.meta_path):
            sys.meta_path.insert(0, Compiled())

    def v2_playbook_on_start(self, playbook: t.Any) -> None:  # noqa: ARG002 - Ansible's
        gc.set_threshold(NEW_OBJECTS)
        gc.freeze()

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        import_ahead(task)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        import_ahead(task)
