# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what is wrong with the variables of a run: unused names, placeholders, and secrets without a value."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Mapping, MutableMapping, Sequence

from ansible.module_utils.parsing.convert_bool import boolean

from ._arguments import is_endless, refuse_placeholders, refuse_secrets
from ._errors import InputError

PLACEHOLDER = "CHANGE_ME"
"""Stands in a value that the owner of the inventory has to fill in, followed by what belongs there."""

CONNECTIONS: t.Mapping[str, t.Sequence[str]] = {
    "slack_channel": ("secret_slack_bot_token",),
    "statuspage_url": ("statuspage_page_id", "secret_statuspage_token"),
}
"""By the variable that switches a connection on, those without which it is none. The others have a default."""
TYPED: t.Sequence[str] = (
    *(
        "by",
        "reason",
        "note",
        "answer",
        "decision",
        "feedback",
        "gate",
        "sign_off",
        "signed_release",
    ),
    *("deploy_lock_ticket", "release_waivers", "release_phases_waived", "release_supersedes"),
    *("release_sign_offs_given", "release_migration_waivers", "release_smoke_tests_left_out"),
    *("migration_rehearsal_waiver", "migration_rehearsal_waived_by"),
    *("user_feedback_answers", "user_feedback_answered_by"),
    *("smoke_tests_answers", "smoke_tests_answered_by"),
)
"""Variables with what a person says. Given by --extra-vars they are texts and no templates."""
WRITTEN = (*TYPED, "release_launch_window", "release_availability", "release_banner")
"""Those and others with texts that the record, a message or a page will show."""


def unknown_variables(
    known: frozenset[str],
    extra: frozenset[str],
    inventory: frozenset[str],
    prefixes: tuple[str, ...],
) -> list[str]:
    """One phrase for each unused name, with the nearest name that is used.

    `known`: those that some role declares. `extra`: given with --extra-vars, where a typo would silently change
    nothing. `inventory`: those of its files. What begins with one of `prefixes` is ours, so it must be known.
    """
    ours = {name for name in inventory if name.startswith(prefixes)}
    readable = known | (inventory - ours)
    suspects = (extra - readable) | (ours - known)
    return [
        _describe(name, known | inventory - suspects)
        for name in sorted(suspects)
        if not name.startswith("ansible_")
    ]


COMMAND_LINE: t.Sequence[str] = (
    *("answer", "by", "decision", "diagnose", "feedback", "follow", "function", "gate", "note"),
    *("percentage", "reason", "reset", "service", "sign_instead", "sign_key", "sign_off"),
    "signed_release",
)
"""Names without a prefix, which an inventory might use for something else."""


def of_the_command_line(
    values: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any], extra: t.Container[str]
) -> list[str]:
    """A sentence about the names of COMMAND_LINE that an inventory sets, so that they would change what is done.

    `values`: of the host. `defaults`: of the playbooks. `extra`: given with --extra-vars.
    """
    names = [
        name
        for name in COMMAND_LINE
        if name in values and name not in extra and values[name] != defaults.get(name)
    ]
    return [
        f"The inventory sets {', '.join(names)}, which the playbooks read from the command line: give that variable "
        "another name. Nothing was touched."
    ] * bool(names)


def _describe(name: str, candidates: t.Collection[str]) -> str:
    if name == "_raw_params":  # what Ansible calls the words behind the first of a value
        return "stray words (a value with spaces needs -e 'name=\"a value\"')"
    return f"{name}{nearest(name, candidates)}"


def nearest(name: str, known: t.Collection[str]) -> str:
    """A question in brackets for the name that was perhaps meant, "" where none is like it."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def missing_secrets(
    secrets: t.Iterable[t.Mapping[str, t.Any]], values: t.Mapping[str, str]
) -> list[str]:
    """One phrase for each secret that has no value, with where it is looked for and what needs it."""
    return [
        f"{secret['name']} (environment variable {secret['environment']}, for {secret['purpose']})"
        for secret in secrets
        if secret.get("needed", True) and not values.get(secret["name"], "").strip()
    ]


def incomplete(names: t.Container[str]) -> list[str]:
    """One sentence for each connection of CONNECTIONS that lacks something, with all that it lacks."""
    lacking = {
        head: [sibling for sibling in siblings if sibling not in names]
        for head, siblings in CONNECTIONS.items()
        if head in names
    }
    return [
        f"{head} is set without {' and '.join(missing)}: set what is missing, or leave {head} out."
        for head, missing in lacking.items()
        if missing
    ]


CHOICES = (
    *("release_services", "release_check_images", "release_pin_digests"),
    "release_image_signatures",
)
"""Variables that `refused_services` reads."""


def refused_services(
    values: t.Mapping[str, t.Any], services: t.Container[str], namespaces: t.Sequence[str]
) -> list[str]:
    """A sentence for each thing that stands against the services of a release.

    `values`: of CHOICES, None for those not set. `services`: the group microservices, which is in `namespaces`.
    """
    problems = []
    named = values["release_services"]
    if isinstance(named, list) and (strangers := [name for name in named if name not in services]):
        problems.append(
            f"release_services names {', '.join(map(str, strangers))}, and the group microservices of the inventory "
            "does not: correct the name, or add the host. Nothing was touched."
        )
    if len(namespaces) > 1:
        problems.append(
            f"The services of the inventory are in several namespaces ({', '.join(namespaces)}): a release is rolled "
            "in one. Set kubernetes_namespace for all of them, or make an inventory for each namespace. Nothing was "
            "touched."
        )
    checks = values["release_check_images"]
    pins = boolean(values["release_pin_digests"] or False, strict=False)
    if values["release_image_signatures"] and not pins:
        problems.append(
            "release_image_signatures needs release_pin_digests: true, for a tag may move after its image was verified."
        )
    if pins and not boolean(True if checks is None else checks, strict=False):
        problems.append(
            "release_pin_digests needs the digests from release_check_images: set that to true if the registry is "
            "reachable, or release_pin_digests to false."
        )
    return problems


def placeholders(name: str, value: t.Any, *, why: bool = False) -> t.Iterator[str]:
    """The paths to what still has to be filled in, as C(name.key[0]), however deep; with `why`, its text too."""
    for path, text in _texts(name, value):
        if PLACEHOLDER in text:
            yield f"{path} ({text.partition(PLACEHOLDER)[2].lstrip(': ')})" if why else path


def _texts(name: str, value: t.Any) -> t.Iterator[tuple[str, str]]:
    return iter(()) if is_endless(value) else _texts_in(name, value)


def _texts_in(name: str, value: t.Any) -> t.Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts_in(f"{name}.{key}", inner)
    elif isinstance(value, Sequence):
        for number, inner in enumerate(value):
            yield from _texts_in(f"{name}[{number}]", inner)


def placeholders_told(results: t.Iterable[t.Mapping[str, str]]) -> str:
    """One sentence with all of them. Each has its `name` and its `file`, "" where that is unknown."""
    by_file: dict[str, list[str]] = {}
    for result in results:
        by_file.setdefault(result["file"], []).append(result["name"])
    listed = "; ".join(
        f"{file}: {', '.join(names)}" if file else ", ".join(names)
        for file, names in by_file.items()
    )
    number = sum(map(len, by_file.values()))
    what = "1 value still has" if number == 1 else f"{number} values still have"
    return f"{what} to be filled in: {listed}. What belongs there stands behind {PLACEHOLDER}."


def typed_unchanged(extra: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """One sentence for each name and reason among --extra-vars that is the placeholder of a printed command."""
    for name, value in extra.items():
        if f"_{name}".endswith(("_by", "_reason")):
            try:
                refuse_placeholders(**{name: value})
            except InputError as exc:
                yield str(exc)


def with_secrets(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """One sentence for each text of WRITTEN that looks like a secret."""
    for name in WRITTEN:
        for path, text in _texts(name, variables.get(name)):
            try:
                refuse_secrets(**{path: text})
            except InputError as exc:
                yield str(exc)


def take_as_text(extra: MutableMapping[str, t.Any]) -> None:
    """Of --extra-vars those of TYPED, in place: Ansible evaluates a text only while it is tagged as trusted."""
    for name in extra.keys() & set(TYPED):
        if not is_endless(extra[name]):
            extra[name] = _untagged(extra[name])


def _untagged(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return str.__str__(value)  # a copy without Ansible's tags
    if isinstance(value, Mapping):
        return {key: _untagged(inner) for key, inner in value.items()}
    return [*map(_untagged, value)] if isinstance(value, Sequence) else value


def evaluated(extra: t.Mapping[str, t.Any], trusted: t.Callable[[str], bool]) -> t.Iterator[str]:
    """One sentence for each template among what `take_as_text` should have taken. `trusted`: Ansible evaluates it."""
    for name in TYPED:
        for path, text in _texts(name, extra.get(name)):
            if trusted(text) and ("{{" in text or "{%" in text):
                yield (
                    f"{path!r} is a template, which Ansible evaluates: enable the callback easymo.deploy.arguments, "
                    "which takes it as a text."
                )
