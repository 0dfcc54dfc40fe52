"""The tasks of the roles, carried out by the product's own modules.

Which module a task calls, and what it gives it beside its variables, is read from the role: a script that names a task
or an option which the role does not have fails at once. In which order, plays/ tries by the playbooks themselves.
"""

from __future__ import annotations

import functools
import pickle
import re
import traceback
import types
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._progress import WAVE_ROLLED

from .world import NAMESPACE

if t.TYPE_CHECKING:
    from .invariants import Invariants
    from .scheduler import Process
    from .world import World

ROOT = Path(__file__).parents[2]
PREFIX = "easymo.deploy."
_TAIL = re.compile(r"\{\{ '.*\}\}$")
"""Words that a name ends in on a condition."""
Result = dict[str, t.Any]


@dataclass(frozen=True)
class RoleTask:
    """`given` are options without a variable in them."""

    module: str
    given: t.Mapping[str, t.Any]
    asked: frozenset[str]
    """The options whose values come from variables."""
    check: bool
    """Whether it only ever looks."""


@dataclass(frozen=True)
class Did:
    """One task of a run as it ended."""

    module: str
    params: t.Mapping[str, t.Any]
    result: Result
    began: float

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))


@functools.cache
def tasks_of(where: str) -> dict[str, RoleTask]:
    """Those of a file of a role, as in `release_phase/lock`, or of a playbook, as in `playbooks/unlock`."""
    found: dict[str, RoleTask] = {}
    for task in _flat(_read(where)):
        module = next((one for one in task if one.startswith(PREFIX)), "")
        if not module:
            continue
        options = task[module] or {}
        asked = {name for name, value in options.items() if "{{" in str(value)}
        found[_TAIL.sub("", task["name"])] = RoleTask(
            module.removeprefix(PREFIX),
            {name: value for name, value in options.items() if name not in asked},
            frozenset(asked),
            check=task.get("check_mode") is True,
        )
    return found


def _read(where: str) -> t.Any:
    role, _slash, name = where.partition("/")
    folder = ROOT / role if role == "playbooks" else ROOT / "roles" / role / "tasks"
    return yaml.safe_load((folder / f"{name}.yml").read_text("utf-8"))


def _flat(tasks: t.Iterable[t.Any]) -> t.Iterator[dict[str, t.Any]]:
    for task in tasks:
        yield task
        for part in ("tasks", "block", "rescue", "always"):
            yield from _flat(task.get(part) or ())


class TaskModule:
    """What `run` may use of the controller's module."""

    def __init__(
        self,
        params: dict[str, t.Any],
        say: t.Callable[[str], None],
        *,
        check: bool,
    ):
        self.params = params
        self.check_mode = check
        self._diff = False
        self._say = say

    def warn(self, warning: str) -> None:
        self._say(f"warning: {warning}")

    def progress(self, _event: str, text: str, _data: dict[str, t.Any]) -> None:
        self._say(text)

    def progress_of(self, _host: str, _event: str, text: str, _data: dict[str, t.Any]) -> None:
        self._say(text)


@dataclass
class Tasks:
    """Carries out the tasks of one run, of which the invariants are told."""

    modules: t.Mapping[str, types.ModuleType]
    world: World
    process: Process
    invariants: Invariants

    def say(self, text: str) -> None:
        self.world.say(f"{self.process.name}: {text}")

    def __call__(
        self,
        where: str,
        name: str,
        /,
        module_defaults: t.Mapping[str, t.Any] | None = None,
        check: bool = False,
        **variables: t.Any,
    ) -> Result:
        """The task of that name in that file; its variables by the options they fill, None for one left out.

        `module_defaults` are those of its play or block. `check`: in check mode.
        """
        task = tasks_of(where)[name]
        differ = task.asked ^ {*variables}
        if differ:
            raise AssertionError(f"{where}: {name!r} takes {sorted(task.asked)}: {differ}")
        given = {one: value for one, value in variables.items() if value is not None}
        options = {**(module_defaults or {}), **task.given, **given}
        return self.act(task.module, options, check=check or task.check)

    def act(self, module: str, options: dict[str, t.Any], *, check: bool = False) -> Result:
        params = _validated(self.modules[module], module, options)
        self.say(f"{module} {_shown(options)}{' (check)' if check else ''}")
        called = TaskModule(params, self.say, check=check)
        try:
            return self.carry_out(module, called, self.modules[module].run)
        except Exception as exc:
            return _failed(exc)

    def carry_out(self, module: str, called: t.Any, run: t.Callable[[t.Any], Result]) -> Result:
        """What `run` returns or raises of what it is called with."""
        params, check, scheduler = called.params, called.check_mode, self.world.scheduler
        began, history = scheduler.now, self.invariants.history
        history.begun(self.process.name, module, params)
        show = called.progress

        def progress(event: str, text: str, data: dict[str, t.Any]) -> None:
            show(event, text, data)
            if event == WAVE_ROLLED and not check:
                services = [one for one in params["services"] if one["name"] in data["services"]]
                of_wave = {**params, "services": services}
                # By the run's own clock, which may be a little slow.
                took = max(one.get("duration", 0.0) for one in data["services"].values())
                since = max(scheduler.now - 1.1 * took, began)
                did = Did(module, of_wave, {"services": data["services"]}, since)
                self.invariants.wave_rolled(self.process, did)

        called.progress = progress
        result: Result
        failure: Exception | None = None
        try:
            result = run(called)
        except Exception as exc:
            result, failure = _failed(exc), exc
            if isinstance(exc, DeployError):
                self.say(f"{module} failed: {exc}")
            else:
                history.check("no_surprise", False, traceback.format_exc())
        if not check:
            self.invariants.claimed(self.process, Did(module, params, result, began))
        if failure is not None:
            raise failure
        return result


def _failed(exc: Exception) -> Result:
    surprise = {"msg": "unexpected", "reason": "Unexpected"}
    return {"failed": True, **(exc.to_result() if isinstance(exc, DeployError) else surprise)}


def _validated(
    module: types.ModuleType, name: str, options: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """A copy of its own each time, for a module may change its options."""
    return t.cast("dict[str, t.Any]", pickle.loads(_checked(module, name, pickle.dumps(options))))


@functools.lru_cache(maxsize=1024)
def _checked(module: types.ModuleType, name: str, pickled: bytes) -> bytes:
    spec = module.module_spec()
    place = {"namespace": NAMESPACE} if "namespace" in spec["argument_spec"] else {}
    found = ArgumentSpecValidator(**spec).validate({**place, **pickle.loads(pickled)})
    if found.error_messages:
        raise AssertionError(f"{name}: {found.error_messages}")
    return pickle.dumps({one: found.validated_parameters.get(one) for one in spec["argument_spec"]})


def _shown(options: t.Mapping[str, t.Any]) -> str:
    shown = {name: value for name, value in options.items() if value not in ("", [], {}, 0, False)}
    return " ".join(f"{name}={str(value)[:60]}" for name, value in shown.items())
