# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed flags as an environment holds them. Values that the platform would misread are refused. Pure."""

from __future__ import annotations

import re
import typing as t

from .._errors import InputError

NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
DIGITS = 18
"""Of an integer, for which every platform has room."""
LONGEST = 131_071 - 64
"""Characters of a variable of the environment, less its name: MAX_ARG_STRLEN in Linux' include/uapi/linux/binfmts.h."""
BOOLEANS = {True: "true", False: "false"}


def to_values(
    flags: t.Mapping[str, t.Any],
    bounds: t.Mapping[str, t.Any],
    choices: t.Mapping[str, t.Any] | None = None,
) -> dict[str, str | None]:
    """Texts by flag, None for a flag to remove. `bounds`: least and greatest integer; `choices`: a list.

    Raises InputError.
    """
    choices = choices or {}
    for option, named in (("bounds", bounds), ("choices", choices)):
        for name in named:
            _check_name(name, option)
    values: dict[str, str | None] = {}
    for name, value in flags.items():
        _check_name(name, "flags")
        values[name] = None if value is None else _to_text(name, value)
        if value is not None and bounds.get(name) is not None:
            _check_bounds(name, value, bounds[name])
        if value is not None and choices.get(name) is not None:
            _check_choices(name, str(values[name]), choices[name])
    return values


def only_flags(data: t.Mapping[str, str]) -> dict[str, str]:
    """The flags of a ConfigMap, without a file beside them."""
    return {name: value for name, value in data.items() if NAME.fullmatch(name)}


def _to_text(name: str, value: t.Any) -> str:
    if isinstance(value, bool):
        return BOOLEANS[value]
    text = str(value)
    fits = _is_integer(value) if isinstance(value, int) else isinstance(value, str)
    # One that has several lines or a NUL cannot be checked in pods.
    if not fits or len(text) > LONGEST or {"\n", "\0"} & {*text}:
        raise InputError(
            f"The flag {name} is {value!r}, a {type(value).__name__}: it may be true, false, an integer of at most "
            f"{DIGITS} digits, or a text of one line and at most {LONGEST} characters."
        )
    if text in ("True", "False"):
        raise InputError(
            f"The flag {name} is the text {text!r}, which the platform does not read as a boolean: write "
            f"{text.lower()}."
        )
    return text


def _check_name(name: t.Any, option: str) -> None:
    if not NAME.fullmatch(str(name)):
        raise InputError(
            f"{option!r} has {name!r}, which is not an environment variable: use A-Z, 0-9 and _, not "
            "beginning with a digit."
        )


def _check_bounds(name: str, value: t.Any, bounds: t.Any) -> None:
    if not (
        isinstance(bounds, (list, tuple))
        and len(bounds) == 2
        and all(map(_is_integer, bounds))
        and int(bounds[0]) <= int(bounds[1])
    ):
        raise InputError(
            f"The bounds of {name} are {bounds!r}: they must be two integers, the lower first, like [0, 100]."
        )
    low, high = map(int, bounds)
    if isinstance(value, bool) or not _is_integer(value) or not low <= int(value) <= high:
        raise InputError(
            f"The flag {name} is {value!r}: it must be an integer from {low} to {high}."
        )


def _check_choices(name: str, text: str, choices: t.Any) -> None:
    if not isinstance(choices, (list, tuple)) or not choices:
        raise InputError(
            f"The choices of {name} are {choices!r}: they must be a list of one value or more."
        )
    allowed = [_to_text(name, choice) for choice in choices]
    if text not in allowed:
        raise InputError(f"The flag {name} is {text!r}: it must be one of {', '.join(allowed)}.")


def _is_integer(value: t.Any) -> bool:
    """Written as the platform reads it: no sign but a minus, no space, no leading zero."""
    if isinstance(value, int):
        return bool(abs(value) < 10**DIGITS)
    return re.fullmatch(rf"0|-?[1-9][0-9]{{0,{DIGITS - 1}}}", str(value)) is not None
