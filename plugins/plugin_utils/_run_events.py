# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's objects as the plain events of a run."""

from __future__ import annotations

import functools
import os
import time
import typing as t
from pathlib import Path

from ansible import context

from ..module_utils._progress import Progress
from ..module_utils._redaction import Redactor
from ..module_utils._release.models import failed_rounds
from ..module_utils._story.next_step import RAMP
from ..module_utils._story.plan import Plan
from ..module_utils._terminal import models
from ..module_utils._terminal.commands import ALL, BESIDE, Command, Typed, typed_playbook
from ..module_utils._time import utc_milliseconds
from ._command_line import extra_variables, playbooks, playbooks_place, program, shown_options
from ._module_of import module_of
from ._observing import PlayVariables, host_names, task_name

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
    typed, place, options = playbooks(), playbooks_place(), shown_options()

    def beside(name: str) -> bool:
        other = typed_playbook(place, name)
        return other not in typed and (place.endswith(".") or os.path.isfile(other))  # noqa: PTH113

    extra, hidden = extra_variables(redact)
    return Command(
        playbooks=tuple(typed),
        typed=Typed(place, tuple(options.get("inventory") or ()), program()),
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
        began=utc_milliseconds(),
    )
