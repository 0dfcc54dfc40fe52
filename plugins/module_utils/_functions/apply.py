# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a project, which its functions read from their environment.

Values are compared by digest, never shown.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from .._errors import InputError, VerificationError
from .api import SupabaseFunctionsApi

_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


def plan_secrets(present: t.Mapping[str, str], values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The names to set. `present` are digests by name. Raises InputError, which shows no value."""
    refusals = (
        (
            [repr(name) for name in values if not _NAME.fullmatch(name)],
            "{} cannot name a secret: at most 256 characters without spaces or '=', "
            "and not beginning with SUPABASE_, which the platform keeps for itself.",
        ),
        (
            [name for name, value in values.items() if not (isinstance(value, str) and value)],
            "The values of {} are empty or no text: set them, in quotes.",
        ),
        (
            [name for name, value in values.items() if len(str(value)) > LONGEST_VALUE],
            f"The values of {{}} are longer than the {LONGEST_VALUE} characters that Supabase allows.",
        ),
    )
    for names, sentence in refusals:
        if names:
            raise InputError(sentence.format(", ".join(sorted(names))))
    if len({*present, *values}) > MOST:
        raise InputError(f"A project has at most {MOST} secrets: remove some first.")
    return {
        name: "changed" if name in present else "new"
        for name, value in sorted(values.items())
        if present.get(name) != digest(value)
    }


def apply_secrets(values: t.Mapping[str, str], api: SupabaseFunctionsApi) -> bool:
    """Whether the digests that the API gives afterwards are those of the values."""
    api.set_secrets(values)
    present = api.secrets()
    if missing := sorted({*values} - {*present}):
        raise VerificationError(
            f"The secrets were sent, but the project's list lacks {', '.join(missing)}: run this again."
        )
    return all(present[name] == digest(value) for name, value in values.items())


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
