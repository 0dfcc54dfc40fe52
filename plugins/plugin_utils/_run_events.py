# SPDX-License-Identifier: GPL-3.0-or-later
"""How the callbacks observe a run: Ansible's objects as the plain events of a run, variables, and secrets to blank out.

Errors are sentences, and none stands in the run's way.
"""

from __future__ import annotations

import functools
import os
import time
import typing as t
from pathlib import Path

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ..module_utils._progress import Progress, subscribe
from ..module_utils._redaction import Redactor
from ..module_utils._release.models import failed_rounds
from ..module_utils._secret_forms import holds_secret
from ..module_utils._story.next_step import RAMP
from ..module_utils._story.plan import Plan
from ..module_utils._terminal import models
from ..module_utils._terminal.commands import ALL, BESIDE, Command, Typed, typed_playbook
from . import _process
from ._action_module import module_of

Variables = t.Mapping[str, t.Any]
F = t.TypeVar("F", bound=t.Callable[..., None])


def observing(method: F) -> F:  # noqa: UP047 - ansible-test reads it with older Pythons
    """A callback never raises into the run: it warns once, as its `TITLE`, and is `silent` from then on."""

    @functools.wraps(method)
    def guarded(self: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        if self.silent:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as exc:
            self.silent = True
            self._display.warning(
                f"{self.TITLE} stopped in {method.__name__} ({type(exc).__name__}): "
                "the run goes on without it."
            )

    return t.cast("F", guarded)


class Observer(CallbackBase):  # type: ignore[misc]
    """A callback that is enabled by its name, and hears how each task ended on each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NEEDS_ENABLED = True
    silent = False

    def __init__(self) -> None:
        super().__init__()
        self._playbook = ""
        self._redact = Redactor()
        self._unsubscribe: t.Callable[[], None] = lambda: None

    def _listen(self, progressed: t.Callable[[Progress], None]) -> None:
        """Hear from now on what modules say meanwhile, and of an end without the last event."""
        self._unsubscribe = subscribe(progressed)
        _process.when_cut_short(lambda: self._finish("interrupted"))

    @observing
    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._ended(result, "ok")

    @observing
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result, "failed", ignored=ignore_errors)

    @observing
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result, "unreachable")

    @observing
    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result, "skipped")

    def _ended(self, result: t.Any, status: models.Status, *, ignored: bool = False) -> None: ...

    def _finish(self, ending: models.Ending) -> None: ...


class PlayVariables:
    """The variables of a play as localhost sees them, templated one by one when asked for."""

    def __init__(self, play: t.Any) -> None:
        manager = play.get_variable_manager()
        localhost = manager._inventory.get_host("localhost")
        self.all: Variables = manager.get_vars(play=play, host=localhost)
        """Every variable as the inventory has it."""
        self._templar = Templar(loader=manager._loader, variables=self.all)
        self._told: dict[str, str] = {}

    @staticmethod
    @functools.lru_cache(maxsize=1)
    def of(play: t.Any) -> PlayVariables:
        """One for all observers of a play: templating each secret takes longer than most tasks."""
        return PlayVariables(play)

    def get(self, name: str) -> str:
        """Its value as text; "" when it is not there or can't be templated."""
        if name not in self._told:
            value = self.value(name)
            self._told[name] = str(value) if isinstance(value, (str, int, float)) else ""
        return self._told[name]

    def value(self, name: str) -> t.Any:
        """Its value; None when it is not there or can't be templated."""
        if name not in self.all:
            return None
        try:
            return self._templar.template(self.all[name])
        except Exception:  # anything may be wrong in an inventory; its own tasks will say so
            return None

    def raw(self, name: str) -> t.Any:
        """Its value as the inventory has it, with its templates."""
        return self.all.get(name)

    def secrets(self) -> list[str]:
        """Of a login the password alone: its name may be a part of many words that are no secret."""
        names = [name for name in self.all if holds_secret(name)]
        return [value for value in (self.get(name) for name in names) if value]


def host_names(play: t.Any) -> tuple[str, ...]:
    """The hosts of the play, or of the batch of it that begins."""
    hosts = play.get_variable_manager()._inventory.get_hosts(play.hosts)
    return tuple(host.get_name() for host in hosts)


def selected(play: t.Any, variables: PlayVariables) -> bool:
    """Whether --tags leave it anything to do: Ansible announces the others too.

    What Ansible adds itself, as at the end of each role, counts for nothing.
    """
    blocks = [*play.pre_tasks, *play.tasks, *play.post_tasks]
    # Roles that tasks import are listed too; their tasks stand where they are imported.
    if any(not role.from_include for role in play.roles):
        return True
    left = (block.filter_tagged_tasks(variables.all).get_tasks() for block in blocks)
    return any(not task.implicit for tasks in left for task in tasks)


def task_name(task: t.Any) -> str:
    """A name may have been templated from a secret, and no_log does not cover names: then its place says it."""
    if task.no_log:
        place = str(task.get_path() or "").rpartition("/")[2]
        return f"{task.action} ({place})" if place else str(task.action)
    return str(task.get_name())


ROOT = Path(__file__).resolve().parents[2]
OURS = (ROOT / "roles", ROOT / "playbooks")
WORDED = frozenset({"ansible.builtin.fail", "ansible.builtin.assert"})


@functools.lru_cache(maxsize=512)
def of_this_collection(path: str) -> bool:
    """Whether the file is a role's or a playbook's of this collection."""
    resolved = Path(path).resolve()
    return any(resolved.is_relative_to(folder) for folder in OURS)


def is_ours(thing: t.Any) -> bool:
    """Of a play, a task or a block. What Ansible adds by itself has no file."""
    path = str(thing.get_path() or "").rpartition(":")[0]
    return of_this_collection(path) if path else bool(getattr(thing, "implicit", False))


def expected(result: t.Any) -> bool:
    """Whether a failure is one that its module words, and no defect."""
    if module_of(result.task) in WORDED:
        return "msg" in result.result
    results = [result.result, *failed_rounds(result.result)]
    reasons = [entry.get("reason") for entry in results if entry.get("reason")]
    return bool(reasons) and "Unexpected" not in reasons


def task_of(task: t.Any, redact: Redactor) -> models.Task:
    role = task._role.get_name(include_role_fqcn=True) if task._role else ""
    return models.Task(
        uid=str(task._uuid),
        name=redact(task_name(task)),
        action=module_of(task),
        role=str(role),
        ours=is_ours(task),
        check=bool(task.check_mode),
    )


def begun(host: t.Any, task: t.Any, redact: Redactor) -> models.TaskBegun:
    return models.TaskBegun(task_of(task, redact), host.get_name(), time.monotonic())


def ended(
    result: t.Any, status: models.Status, redact: Redactor, *, ignored: bool = False
) -> models.TaskEnded:
    return models.TaskEnded(
        task=task_of(result.task, redact),
        host=str(result.host.get_name()),
        status=status,
        # The parent callback cleans the original.
        result=dict(result.result),
        ignored=ignored,
        at=time.monotonic(),
    )


def reported(progress: Progress) -> models.Reported:
    return models.Reported(**vars(progress), at=time.monotonic())


def ending_of(stats: t.Any) -> models.Ending:
    """Of a run that came to its end, by Ansible's statistics."""
    return "failed" if any(stats.failures.values()) or any(stats.dark.values()) else "done"


def play_of(play: t.Any, redact: Redactor) -> models.PlayBegun:
    phase = str((play.vars or {}).get("release_phase_name") or "")
    name = redact(play.get_name())
    return models.PlayBegun(name, phase, host_names(play), is_ours(play), time.monotonic())


def phases_of(playbook: t.Any) -> tuple[str, ...]:
    """The phases whose plays it holds, those of what it imports too."""
    named = (
        str((play.vars or {}).get("release_phase_name") or "") for play in playbook.get_plays()
    )
    return tuple(dict.fromkeys(filter(None, named)))


def command_of(phases: tuple[str, ...], redact: Redactor, *, ramps: bool) -> Command:
    typed, place, options = (
        _process.playbooks(),
        _process.playbooks_place(),
        _process.shown_options(),
    )

    def beside(name: str) -> bool:
        other = typed_playbook(place, name)
        return other not in typed and (place.endswith(".") or os.path.isfile(other))  # noqa: PTH113

    extra, hidden = _process.extra_variables(redact)
    return Command(
        playbooks=tuple(typed),
        typed=Typed(place, tuple(options.get("inventory") or ()), _process.program()),
        tags=tuple(options.get("tags") or ALL),
        limit=str(options.get("limit") or ""),
        check=bool(context.CLIARGS.get("check")),
        extra=extra,
        hidden=hidden,
        phases=phases,
        beside=tuple(name for name in BESIDE if beside(name) and (ramps or name != RAMP)),
    )


def run_of(
    variables: PlayVariables, title: str, phases: tuple[str, ...], redact: Redactor
) -> models.RunBegun:
    now = time.localtime()
    plan = Plan.read(variables.raw("release_plan"))
    if plan:
        phases = tuple(phase for phase in phases if phase in plan.names)
    return models.RunBegun(
        title=title,
        version=redact(variables.get("release_version")),
        environment=redact(variables.get("environment_name")),
        command=command_of(phases, redact, ramps=bool(variables.raw("release_ramp"))),
        plan=plan,
        at=time.monotonic(),
        clock=now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec,
    )
