# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, as the record, the lock and the journal name them; and who decides something, and why."""

from __future__ import annotations

import getpass
import os
import typing as t

from ._arguments import text_of
from ._errors import InputError

PLACEHOLDERS = frozenset(
    [
        *("nobody", "none", "unknown", "anonymous", "somebody", "n/a", "tbd", "$user", "who"),
        *("name", "your name", "why", "reason", "the reason", "what was seen"),
    ]
)
"""What printed commands and forms have in the place of a name or a reason, in small letters."""


def user_here() -> str:
    """The login by the environment (LOGNAME, USER, LNAME, USERNAME) or the system's accounts, else C(uid-<number>).

    A container may run as an account that /etc/passwd does not have, which is no reason to fail: `getpass.getuser`
    raises KeyError then before Python 3.13, and OSError from it on.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def as_meant(value: t.Any, *, name: bool = False) -> str:
    """What a person typed as a reason, or as a name; "" for nothing, and for what only holds its place."""
    text = text_of(value)
    letters = [char for char in text if (char.isalpha() if name else char.isalnum())]
    holds_its_place = text.strip("<>'\"").casefold() in PLACEHOLDERS
    return "" if holds_its_place or len(letters) < (2 if name else 1) else text


def decided_by(entry: t.Any) -> tuple[str, str]:
    """The `by` and `reason` of an entry that people write, "" for each that is missing or a placeholder."""
    fields = entry if isinstance(entry, dict) else {}
    return as_meant(fields.get("by"), name=True), as_meant(fields.get("reason"))


def read_who_and_why(**given: t.Any) -> list[str]:
    """What these say, by what a person types; one that ends in `by` is a name. Raises InputError for nothing."""
    return [_read(variable, value) for variable, value in given.items()]


def refuse_placeholders(**given: t.Any) -> None:
    """Of what may be left empty."""
    read_who_and_why(**{variable: value for variable, value in given.items() if text_of(value)})


def _read(variable: str, value: t.Any) -> str:
    name = variable.endswith("by")
    if text := as_meant(value, name=name):
        return text
    lacks, wanted, place = (
        ("names nobody", "the name of who decides", "NAME")
        if name
        else ("gives no reason", "the reason", "WHY")
    )
    raise InputError(
        f"{variable!r} is {text_of(value)!r}, which {lacks}: add -e \"{variable}='{place}'\", "
        f"with {wanted} in the place of {place}."
    )
