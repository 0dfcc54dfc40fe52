# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module's documentation says of its options, as the argument spec that Ansible checks them by.

The documentation is the one place for options. It is read where a module runs, so its fragments go there with it:
`_doc_fragments` has a link to each file of the folder in which Ansible looks for them.
"""

from __future__ import annotations

import copy
import functools
import typing as t

from ansible.module_utils.common.yaml import HAS_YAML, yaml_load

from ._doc_fragments import (
    _action_groups,
    _addresses,
    _alerts,
    _checks,
    _diagnosis,
    _flags,
    _guard,
    _kubernetes,
    _libraries,
    _lock,
    _lock_check,
    _mail,
    _metrics,
    _module,
    _order,
    _postgres,
    _preflight_checks,
    _ramp,
    _release_run,
    _rollout,
    _s3,
    _sign_offs,
    _smoke_tests,
    _supabase,
    _webhook,
)
from ._errors import MissingLibraryError

FRAGMENTS: t.Mapping[str, t.Any] = {
    module.__name__.rpartition(".")[2]: module.ModuleDocFragment
    for module in (
        _action_groups,
        _addresses,
        _alerts,
        _checks,
        _diagnosis,
        _flags,
        _guard,
        _kubernetes,
        _libraries,
        _lock,
        _lock_check,
        _mail,
        _metrics,
        _module,
        _order,
        _postgres,
        _preflight_checks,
        _ramp,
        _release_run,
        _rollout,
        _s3,
        _sign_offs,
        _smoke_tests,
        _supabase,
        _webhook,
    )
}
SECRET = frozenset({
    "access_key", "access_token", "api_key", "app_secret", "headers", "login_password", "password", "routing_key",
    "secret_key", "session_token", "token", "verify_token", "webhook_url",
})  # fmt: skip
"""Names of options whose values are hidden, whichever module has them."""
OPEN = frozenset({
    "archive_key", "client_key", "dedup_key", "key", "key_header", "kms_key_id", "pass", "passed", "prove_key",
    "required_secrets", "secrets",
})  # fmt: skip
"""Names that Ansible takes for those of secrets, and that are none."""
COPIED = ("type", "required", "default", "elements", "aliases")

Spec = dict[str, t.Any]
Rules = t.Mapping[str, t.Any]
"""What Ansible checks of options together, such as `required_if`."""


def documented(
    documentation: str,
    *,
    no_log: t.Collection[str] = (),
    inside: t.Mapping[str, Rules] | None = None,
    **together: t.Any,
) -> t.Callable[[], Spec]:
    """A module's `module_spec`, which returns a fresh argument spec, and what belongs `together`.

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

    return lambda: copy.deepcopy(read())


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
    file, _, part = name.partition(".")
    return _loaded(getattr(FRAGMENTS[file], part.upper() or "DOCUMENTATION"))


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
