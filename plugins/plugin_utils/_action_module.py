# SPDX-License-Identifier: GPL-3.0-or-later
"""An AnsibleModule-shaped face for action plugins, so that module and action share one `run(module)`.

A module that imports a heavy client costs a second of CPU per host; the same code in the
controller's fork costs nearly nothing, because the controller has imported it before it forks.

And which module a task names: where tasks are read, Ansible resolves all that run in the controller to one plugin.
"""

from __future__ import annotations

import functools
import importlib
import os
import typing as t
from types import ModuleType

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_loader
from ansible.utils.display import Display

from ..module_utils._arguments import wrong_kinds
from ..module_utils._errors import DeployError, InputError, in_short, refuse_missing
from ..module_utils._module import Result, as_asked, unexpected
from ..module_utils._progress import DRAWN, Progress, relayed, report

LOCAL = frozenset({"local", "ansible.builtin.local"})


class ControllerModule:
    """What `run(module)` may use of an AnsibleModule, and `progress`, which only the controller has."""

    def __init__(
        self, params: dict[str, t.Any], *, check_mode: bool, diff: bool, host: str
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self._diff = diff
        self._host = host
        self.warnings: list[str] = []

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def progress(self, event: str, text: str, data: dict[str, t.Any]) -> None:
        show_progress(event, self._host, text, data)

    def progress_of(self, host: str, event: str, text: str, data: dict[str, t.Any]) -> None:
        """For a task that works on several hosts at once: the progress of one of them."""
        show_progress(event, host, text, data)


def show_progress(event: str, host: str, text: str, data: dict[str, t.Any]) -> None:
    """To all that listen, and on the screen where none of them shows it."""
    if not os.environ.get(DRAWN):
        named = text.startswith(f"{host}:")
        Display().display(text if named else f"[{host}] {text}")
    report(event, host, text, data)


def show_remarks(result: Result, host: str) -> Result:
    """The result, whose lines for people are on the screen where no console tells them with the task."""
    if not os.environ.get(DRAWN):
        for line in result.get("remarks") or ():
            Display().display(f"[{host}] {line}")
    return result


class ControllerActionBase(ActionBase):  # type: ignore[misc]
    """Runs a module's own code in the controller; on a remote host hands over to the module."""

    _supports_check_mode = True
    _supports_async = False

    module: t.Any
    """The Python module of that name, with its `module_spec` and its `run`."""
    shell: type[ControllerModule] = ControllerModule
    anywhere = False
    """Whether it runs in the controller whatever the connection."""

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        host = (task_vars or {}).get("inventory_hostname", "localhost")
        if self._connection.transport not in LOCAL and not self.anywhere:
            handed: Result = self._execute_module(task_vars=task_vars)
            return show_remarks({**result, **handed}, host)
        self.task_vars, spec = task_vars or {}, self.module.module_spec()
        if wrong := wrong_kinds(spec["argument_spec"], self._task.args):
            return {**result, "failed": True, **InputError(" ".join(wrong)).to_result()}
        try:
            validated, _arguments = self.validate_argument_spec(**spec)
        except AnsibleActionFail as exc:
            raise AnsibleActionFail(in_short(str(exc))) from None
        given = {name: validated.validated_parameters.get(name) for name in spec["argument_spec"]}
        module = self.shell(
            self.parameters(given),
            check_mode=bool(self._task.check_mode),
            diff=bool(self._task.diff),
            host=host,
        )
        try:
            refuse_missing(self.module.module_spec.needs)
            outcome = self.module.run(module)
        except DeployError as exc:
            outcome = {"failed": True, **exc.to_result()}
        except Exception as exc:
            outcome = {"failed": True, **unexpected(exc)}
        if module.warnings:
            outcome["warnings"] = module.warnings
        shown = remove_values(as_asked(module, outcome), validated._no_log_values)
        return show_remarks({**result, **shown}, host)

    def parameters(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        """What `run` gets, for a module that needs to know more of the run than its task says."""
        return given


class WatchedActionBase(ActionBase):  # type: ignore[misc]
    """Runs the module as a process of its own and tells its progress: for work whose memory must not be a controller's.

    A fork of the controller begins with all that the controller holds, which is more than a lean module ever needs.
    """

    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        host = (task_vars or {}).get("inventory_hostname", "localhost")

        def forward(progress: Progress) -> None:
            show_progress(progress.event, host, progress.text, progress.data)

        with relayed(forward):
            handed: Result = self._execute_module(
                task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
        return show_remarks({**result, **handed}, host)


class SparedActionBase(WatchedActionBase):
    """Looks in the controller first whether there is anything to do: a process for that alone takes a second.

    Whatever else comes of the look is the process's to tell, which looks again. It may be another account's, with other
    libraries.
    """

    looking: type[ControllerActionBase]
    """Whose module's `run` gives the result where nothing is to do, and nothing that counts otherwise."""
    result_key: str
    """What such a result has."""

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        task = self._task
        own = task.become or task.async_val or any(task.environment or ())
        if self._connection.transport in LOCAL and not own:
            look = self.looking(
                task,
                self._connection,
                self._play_context,
                self._loader,
                self._templar,
                self._shared_loader_obj,
            )
            looked = look.run(tmp, task_vars)
            if looked.get(self.result_key):
                return looked
        return super().run(tmp, task_vars)


OURS = "easymo.deploy."
IN_CONTROLLER = f"{OURS}in_controller"
VARIABLES = f"{OURS}release_variables"
CONTRACTS = "release_variables_contracts"
"""The variable that a phase's first task sets: what it checks is read with the libraries of all phases."""
READERS = "ansible_collections.easymo.deploy.plugins.module_utils._release_variables"


def module_of(task: t.Any) -> str:
    """In full, also of one with an old name or without its collection's."""
    resolved = task.resolved_action
    if resolved == IN_CONTROLLER:
        resolved = _resolved(task.action, tuple(task.collections or ()))
    return str(resolved or task.action)


@functools.cache
def _resolved(name: str, collections: tuple[str, ...]) -> str | None:
    """Each callback asks for each result."""
    context = module_loader.find_plugin_with_context(name, collection_list=[*collections] or None)
    return t.cast("str | None", context.resolved_fqcn)


def imported(name: str) -> ModuleType:
    """The Python of this collection's module."""
    module = name.removeprefix(OURS)
    return importlib.import_module(f"ansible_collections.easymo.deploy.plugins.modules.{module}")


def import_ahead(task: t.Any) -> None:
    """Before Ansible forks for each host: a fork would import its module and read its options anew."""
    if task.resolved_action == IN_CONTROLLER:
        imported(module_of(task)).module_spec()
    if task.resolved_action == VARIABLES and CONTRACTS in task.get_vars():
        importlib.import_module(READERS)
