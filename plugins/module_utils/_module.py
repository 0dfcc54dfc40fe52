# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module has in common: the shell its `run` sees, how it ends, and how it tells of its progress."""

from __future__ import annotations

import json
import sys
import traceback
import typing as t
from pathlib import PurePath

from ansible.module_utils.basic import AnsibleModule, _load_params

from ._arguments import wrong_kinds
from ._errors import DeployError, InputError, Library, in_short, refuse_missing
from ._progress import relay
from ._redaction import excerpt

Result = dict[str, t.Any]
LONGEST = 5_000
"""Characters of any message."""
SHOWN = 1_000
"""Characters of an error that nobody thought of."""


class Module(t.Protocol):
    """An AnsibleModule, or the same shape in the controller."""

    params: dict[str, t.Any]
    check_mode: bool
    _diff: bool

    def warn(self, warning: str) -> None: ...


class Process(Module, t.Protocol):
    """An AnsibleModule: it ends the process with its result."""

    def exit_json(self, **result: t.Any) -> t.NoReturn: ...

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn: ...


def execute(
    module_spec: t.Callable[[], dict[str, t.Any]],
    run: t.Callable[[t.Any], Result],
    *,
    needs: t.Iterable[Library] = (),
) -> t.NoReturn:
    """Run the module of these options to its end. All modules support check mode."""
    try:
        spec = module_spec()
    except DeployError as exc:
        _fail_unread(exc)
    try:
        module = _Brief(**spec, supports_check_mode=True)
    except (OverflowError, RecursionError, TypeError, ValueError):
        # It broke on a value before it could fail.
        if wrong := wrong_kinds(spec["argument_spec"], _load_params()):
            _fail_without_options(InputError(" ".join(wrong)))
        raise
    if wrong := wrong_kinds(spec["argument_spec"], _load_params()):
        module.fail_json(**InputError(" ".join(wrong)).to_result())
    finish(module, run, needs=needs)


class _Brief(AnsibleModule):  # type: ignore[misc]
    """Ansible quotes a value that it refuses whole, however long it is."""

    def fail_json(self, msg: str, **result: t.Any) -> None:
        super().fail_json(in_short(msg) if len(msg) > LONGEST else msg, **result)


def _fail_unread(why: DeployError) -> t.NoReturn:
    """Fail as Ansible's modules do, though the options are not known, whichever were given."""

    class Unread(AnsibleModule):  # type: ignore[misc]
        def fail_json(self, **_result: t.Any) -> None:
            super().fail_json(**why.to_result())

    Unread(argument_spec={}).fail_json()
    raise SystemExit(1)


def _fail_without_options(why: DeployError) -> t.NoReturn:
    """As AnsibleModule would, where there is none yet."""
    sys.stdout.write(json.dumps({"failed": True, **why.to_result()}))
    raise SystemExit(1) from None


def finish(
    module: Process, run: t.Callable[[t.Any], Result], *, needs: t.Iterable[Library] = ()
) -> t.NoReturn:
    """End it with its result, or with a failure in one sentence."""
    try:
        refuse_missing(needs)
        result = run(module)
    except DeployError as exc:
        module.fail_json(**exc.to_result())
    except Exception as exc:
        module.fail_json(**unexpected(exc))
    module.exit_json(**result)


def unexpected(exc: Exception) -> Result:
    """The failure for an unexpected error.

    Left to Ansible, its text would be shown as it is, whatever secret it quotes: only what a task returns is searched
    for the values of its secret options.
    """
    frames = traceback.extract_tb(exc.__traceback__)
    trace = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    where = trace[-1] if trace else "an unknown place"
    what = f"{type(exc).__name__} at {where}"
    return {
        "msg": f"{what}, a defect of this collection: {excerpt(str(exc), SHOWN)}",
        "reason": "Unexpected",
        "trace": trace,
    }


def refuse_below(params: t.Mapping[str, t.Any], **least: float) -> None:
    """Raise for the first option of this name whose value is less than that."""
    for option, bound in least.items():
        if params[option] < bound:
            raise InputError(f"Option {option!r} is {params[option]:g}; it is at least {bound:g}.")


class Named(t.Protocol):
    @property
    def name(self) -> str: ...


def refuse_twice(what: str, entries: t.Sequence[Named]) -> None:
    """Raise for entries of an option that share a name; `what` they are, in the plural."""
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{what} share a name: give each its own: {', '.join(twice)}.")


def in_controller(module: Module) -> bool:
    """Whether this runs in a fork of the run itself, and not on a remote host."""
    return hasattr(module, "progress")


def emit_progress(module: Module, event: str, text: str, data: dict[str, t.Any]) -> None:
    """Live progress where somebody can see it: the controller's shell, or the action plugin that started a module."""
    progress = getattr(module, "progress", None)
    if progress is None:
        relay(event, text, data)
    else:
        progress(event, text, data)
