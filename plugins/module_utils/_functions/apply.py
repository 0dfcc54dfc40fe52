# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a project, which its functions read from their environment.

Values are compared by digest, never shown.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError, VerificationError
from .api import SupabaseFunctionsApi

_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


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

    def to_result(self) -> dict[str, t.Any]:
        return {
            "changed": self.differs,
            "set": sorted([*self.new, *self.changed]),
            "removed": list(self.removed),
            "unchanged": list(self.unchanged),
        }

    def to_diff(self) -> dict[str, dict[str, str]]:
        """Names alone: even the digest of a short secret would give it away."""
        before = dict.fromkeys((*self.changed, *self.removed), "set")
        after = {
            **dict.fromkeys(self.new, "set"),
            **dict.fromkeys(self.changed, "set to another value"),
        }
        return {"before": before, "after": after}


def plan_secrets(
    present: t.Mapping[str, str], values: t.Mapping[str, str], absent: t.Collection[str]
) -> SecretsPlan:
    refusals = (
        (
            sorted(repr(name) for name in (*values, *absent) if not _NAME.fullmatch(name)),
            "{} cannot name a secret: at most 256 characters without spaces or '=', "
            "and not beginning with SUPABASE_, which the platform keeps for itself.",
        ),
        (sorted({*values} & {*absent}), "{} cannot be set and absent at once: choose one."),
        (
            sorted(name for name, value in values.items() if not value),
            "The values of {} are empty: set them, or list the names in 'absent'.",
        ),
        (
            sorted(name for name, value in values.items() if len(value) > LONGEST_VALUE),
            f"The values of {{}} are longer than the {LONGEST_VALUE} characters that Supabase allows.",
        ),
    )
    for names, sentence in refusals:
        if names:
            raise InputError(sentence.format(", ".join(names)))
    if len({*present, *values} - {*absent}) > MOST:
        raise InputError(f"A project has at most {MOST} secrets: remove some first.")
    same = {name for name, value in values.items() if present.get(name) == digest(value)}
    return SecretsPlan(
        new=tuple(sorted({*values} - {*present})),
        changed=tuple(sorted(({*values} & {*present}) - same)),
        removed=tuple(sorted({*absent} & {*present})),
        unchanged=tuple(sorted(same)),
    )


def apply_secrets(
    plan: SecretsPlan, values: t.Mapping[str, str], api: SupabaseFunctionsApi
) -> bool:
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
