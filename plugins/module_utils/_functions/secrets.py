# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a project, which its functions read from their environment. Values are compared by digest, never shown."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError, VerificationError

_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


class SecretsApi(t.Protocol):
    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets with the digests of their values."""

    def set_secrets(self, values: t.Mapping[str, str]) -> None: ...

    def delete_secrets(self, names: t.Sequence[str]) -> None: ...


@dataclass(frozen=True)
class SecretsPlan:
    """`new` and `changed` are set, `removed` deleted; all of them are names."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.new or self.changed or self.removed)


def plan_secrets(
    present: t.Mapping[str, str], values: t.Mapping[str, str], absent: t.Collection[str]
) -> SecretsPlan:
    _refuse(present, values, absent)
    same = {name for name, value in values.items() if present.get(name) == digest(value)}
    return SecretsPlan(
        new=tuple(sorted({*values} - {*present})),
        changed=tuple(sorted(({*values} & {*present}) - same)),
        removed=tuple(sorted({*absent} & {*present})),
        unchanged=tuple(sorted(same)),
    )


def apply_secrets(plan: SecretsPlan, values: t.Mapping[str, str], api: SecretsApi) -> bool:
    """Whether the digests that the API gives afterwards are those of the values."""
    given = {name: values[name] for name in (*plan.new, *plan.changed)}
    if given:
        api.set_secrets(given)
    if plan.removed:
        api.delete_secrets(plan.removed)
    present = api.secrets()
    missing, left = sorted({*given} - {*present}), sorted({*plan.removed} & {*present})
    if missing or left:
        raise VerificationError(
            "The secrets were sent, but the project's list differs: missing "
            f"{', '.join(missing) or 'none'}, "
            f"still there {', '.join(left) or 'none'}. Run this again."
        )
    return all(present[name] == digest(value) for name, value in given.items())


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _refuse(
    present: t.Mapping[str, str], values: t.Mapping[str, str], absent: t.Collection[str]
) -> None:
    wrong = sorted(name for name in (*values, *absent) if not _NAME.fullmatch(name))
    if wrong:
        raise InputError(
            f"{', '.join(map(repr, wrong))} cannot name a secret: at most 256 characters without spaces or '=', "
            "and not beginning with SUPABASE_, which the platform keeps for itself."
        )
    both = sorted({*values} & {*absent})
    if both:
        raise InputError(f"{', '.join(both)} cannot be set and absent at once: choose one.")
    empty = sorted(name for name, value in values.items() if not value)
    if empty:
        raise InputError(
            f"The values of {', '.join(empty)} are empty: set them, or list the names in 'absent'."
        )
    long = sorted(name for name, value in values.items() if len(value) > LONGEST_VALUE)
    if long:
        raise InputError(
            f"The values of {', '.join(long)} are longer than the {LONGEST_VALUE} characters "
            "that Supabase allows."
        )
    if len({*present, *values} - {*absent}) > MOST:
        raise InputError(f"A project has at most {MOST} secrets: remove some first.")
