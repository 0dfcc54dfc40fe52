# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide what is wrong with the variables of a run: names nobody reads and secrets without a value."""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    name: str
    environment: str
    purpose: str


@dataclass(frozen=True)
class Variables:
    """The names of a run. `known` are those some role or inventory declares."""

    known: frozenset[str]
    prefixes: tuple[str, ...]
    """Names that begin so are ours, so each of them must be known."""
    extra: frozenset[str]
    """Names given with --extra-vars: a typo there would silently change nothing."""
    inventory: frozenset[str]


def unknown_variables(variables: Variables) -> list[str]:
    """One phrase for each name that nobody reads, with the nearest name that somebody does."""
    ours = {name for name in variables.inventory if name.startswith(variables.prefixes)}
    readable = variables.known | (variables.inventory - ours)
    suspects = (variables.extra - readable) | (ours - variables.known)
    return [
        _describe(name, variables.known | variables.inventory - suspects)
        for name in sorted(suspects)
        if not name.startswith("ansible_")
    ]


def _describe(name: str, candidates: t.Collection[str]) -> str:
    if name == "_raw_params":  # what Ansible calls the words behind the first of a value
        return "stray words (a value with spaces needs -e 'name=\"a value\"')"
    near = difflib.get_close_matches(name, candidates, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name


def missing_secrets(secrets: t.Iterable[Secret], values: t.Mapping[str, str]) -> list[str]:
    """One phrase for each secret that has no value, with where it is looked for and what needs it."""
    return [
        f"{secret.name} (environment variable {secret.environment}, for {secret.purpose})"
        for secret in secrets
        if not values.get(secret.name, "").strip()
    ]
