# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module has in common: its options, the shell its `run` sees, how it ends, how it tells of its progress.

A module's documentation is the one place for its options, and the argument spec that Ansible checks them by is read
out of it. It is read where a module runs, so its fragments go there with it:
`_doc_fragments` has a link to each file of the folder in which Ansible looks for them, but the one for checks, whose
kinds have their documentation beside their code and add it.
"""

from __future__ import annotations

import copy
import functools
import traceback
import typing as t
from dataclasses import dataclass
from pathlib import PurePath
from textwrap import indent

from ansible.module_utils.basic import AnsibleModule, _load_params
from ansible.module_utils.common.yaml import HAS_YAML, yaml_load

from ._arguments import wrong_kinds
from ._doc_fragments import (  # noqa: F401 - each is looked up by its name
    _action_groups,
    _diagnosis,
    _flags,
    _identity,
    _images,
    _kubernetes,
    _libraries,
    _lock,
    _mail,
    _metrics,
    _module,
    _monitoring,
    _postgres,
    _ramp,
    _rehearsal,
    _release_run,
    _rollout,
    _s3,
    _sign_offs,
    _supabase,
)
from ._errors import DeployError, InputError, Library, MissingLibraryError, in_short, refuse_missing
from ._progress import relay
from ._redaction import excerpt

SECRET = frozenset({
    "access_key", "access_token", "api_key", "app_secret", "headers", "login_password", "password", "routing_key",
    "secret_key", "session_token", "token", "verify_token", "webhook_url",
})  # fmt: skip
"""Names of options whose values are hidden, whichever module has them."""
OPEN = frozenset({
    "archive_key", "client_key", "dedup_key", "key", "key_header", "pass", "passed", "prove_key",
    "required_secrets", "secrets",
})  # fmt: skip
"""Names that Ansible takes for those of secrets, and that are none."""
COPIED = ("type", "required", "default", "elements")

Spec = dict[str, t.Any]
Rules = t.Mapping[str, t.Any]
"""What Ansible checks of options together, such as `required_if`."""


@dataclass(frozen=True)
class ModuleSpec:
    """What a module takes, read anew for each call, and the libraries without which it does not begin."""

    read: t.Callable[[], Spec]
    needs: t.Sequence[Library] = ()

    def __call__(self) -> Spec:
        return copy.deepcopy(self.read())


def documented(
    documentation: str,
    *,
    needs: t.Sequence[Library] = (),
    no_log: t.Collection[str] = (),
    inside: t.Mapping[str, Rules] | None = None,
    **together: t.Any,
) -> ModuleSpec:
    """A module's `module_spec`, with what belongs `together` and the libraries that it always `needs`.

    Options in options are named by their path: `no_log` is secret by more than its name, and `inside` are rules.
    """

    @functools.cache
    def read() -> Spec:
        spec = _spec(_options(_loaded(documentation)))
        for path in no_log:
            _at(spec, path)["no_log"] = True
        for path, rules in (inside or {}).items():
            _at(spec, path).update(rules)
        return {"argument_spec": spec, **together}

    return ModuleSpec(read, needs)


ADDED: dict[str, str] = {}
"""Fragments by name that stand in no file of their own."""


def add_fragment(name: str, option: str, suboptions: str) -> None:
    """Let modules name a fragment that documents what is in one option."""
    ADDED[name] = f"options:\n  {option}:\n    suboptions:\n{indent(suboptions, ' ' * 6)}"


@functools.cache
def _of_fragment(name: str) -> Spec:
    return _spec(_options(_fragment(name)))


def fragment_spec(name: str, *path: str) -> Spec:
    """The options of a fragment or, by the path, those in one of them."""
    spec = _of_fragment(name)
    for option in path:
        spec = spec[option]["options"]
    return copy.deepcopy(spec)


def _loaded(text: str) -> t.Any:
    if not HAS_YAML:
        raise MissingLibraryError("PyYAML is not installed where this module runs: install it.")
    return yaml_load(text)


@functools.cache
def _fragment(name: str) -> t.Any:
    if name in ADDED:
        return _loaded(ADDED[name])
    file, _, part = name.partition(".")
    return _loaded(getattr(globals()[file].ModuleDocFragment, part.upper() or "DOCUMENTATION"))


def _options(documentation: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """With those of its fragments, to which it may add."""
    options: dict[str, t.Any] = {}
    for name in documentation.get("extends_documentation_fragment", ()):
        options |= _fragment(name.removeprefix("easymo.deploy.")).get("options", {})
    for name, option in documentation.get("options", {}).items():
        options[name] = {**options.get(name, {}), **option}
    return options


def _spec(options: t.Mapping[str, t.Any]) -> Spec:
    return {name: _option(name, option) for name, option in options.items()}


def _option(name: str, option: t.Mapping[str, t.Any]) -> Spec:
    """One that is a list of a `kind` each needs the option of that name."""
    spec = {word: option[word] for word in COPIED if word in option}
    if "choices" in option:
        spec["choices"] = [*option["choices"]]
    if "suboptions" in option:
        inner = option["suboptions"]
        spec["options"] = _spec(inner)
        kinds = inner.get("kind", {}).get("choices", ())
        if needed := [kind for kind in kinds if inner.get(kind, {}).get("suboptions")]:
            spec["required_if"] = [("kind", kind, [kind]) for kind in needed]
    if name in SECRET and "suboptions" not in option:
        spec["no_log"] = True
    elif name in OPEN or name in SECRET:
        spec["no_log"] = False
    return spec


def _at(spec: Spec, path: str) -> Spec:
    *outer, name = path.split(".")
    for option in outer:
        spec = spec[option]["options"]
    return t.cast("Spec", spec[name])


Result = dict[str, t.Any]
LONGEST = 5_000
"""Characters of any message."""
SHOWN = 1_000
"""Characters of an unexpected error."""


class Module(t.Protocol):
    """An AnsibleModule, or the same shape in the controller."""

    params: dict[str, t.Any]
    check_mode: bool
    _diff: bool

    def warn(self, warning: str) -> None: ...


def execute(module_spec: ModuleSpec, run: t.Callable[[t.Any], Result]) -> None:
    """Run the module of these options to its end. All modules support check mode."""
    try:
        spec = module_spec()
    except DeployError as exc:
        _fail_without_options(exc)
    try:
        module = _Brief(**spec, supports_check_mode=True)
    except (OverflowError, RecursionError, TypeError, ValueError):
        # It broke on a value before it could fail.
        if wrong := wrong_kinds(spec["argument_spec"], _load_params()):
            _fail_without_options(InputError(" ".join(wrong)))
        raise
    if wrong := wrong_kinds(spec["argument_spec"], _load_params()):
        module.fail_json(**InputError(" ".join(wrong)).to_result())
    try:
        refuse_missing(module_spec.needs)
        result = run(module)
    except DeployError as exc:
        module.fail_json(**as_asked(module, exc.to_result()))
    except Exception as exc:
        module.fail_json(**unexpected(exc))
    module.exit_json(**as_asked(module, result))


def as_asked(module: t.Any, result: Result) -> Result:
    """Of what changed, both states are told where somebody asked for them."""
    if not module._diff:
        result.pop("diff", None)
    return result


class _Brief(AnsibleModule):  # type: ignore[misc]
    """Ansible quotes a value that it refuses whole, however long it is."""

    def fail_json(self, msg: str, **result: t.Any) -> None:
        super().fail_json(in_short(msg) if len(msg) > LONGEST else msg, **result)


class _WithoutOptions(AnsibleModule):  # type: ignore[misc]
    """For a failure before the options can be read."""

    def _load_params(self) -> None:
        super()._load_params()
        self.params: dict[str, t.Any] = {}


def _fail_without_options(why: DeployError) -> t.NoReturn:
    _WithoutOptions(argument_spec={}).fail_json(**why.to_result())
    raise SystemExit(1)


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


def with_options(
    module: Module, options: t.Mapping[str, t.Any], *, check_mode: bool | None = None
) -> Module:
    """The same module with these options in the place of its own, in its mode unless another is given."""
    other = copy.copy(module)
    other.params = {**module.params, **options}
    other.check_mode = module.check_mode if check_mode is None else check_mode
    return other


def refuse_below(params: t.Mapping[str, t.Any], **least: float) -> None:
    """Raise for the first option of this name whose value is less than that."""
    for option, bound in least.items():
        if params[option] < bound:
            raise InputError(f"Option {option!r} is {params[option]:g}; it is at least {bound:g}.")


def refuse_twice(what: str, entries: t.Sequence[t.Any]) -> None:
    """Raise for entries of an option that share a `name`; `what` they are, in the plural."""
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
