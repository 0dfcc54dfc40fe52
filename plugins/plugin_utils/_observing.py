# SPDX-License-Identifier: GPL-3.0-or-later
"""How the callbacks observe a run: variables, secrets to blank out, errors as sentences, and never in its way."""

from __future__ import annotations

import functools
import typing as t

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ..module_utils._secret_forms import holds_secret
from ..module_utils._terminal.models import Status

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

    def _ended(self, result: t.Any, status: Status, *, ignored: bool = False) -> None: ...


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
