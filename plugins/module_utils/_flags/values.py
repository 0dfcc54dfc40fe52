# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed flags as an environment holds them. Values that the platform would misread are refused. Pure.

The flags once more as a flagd document, for applications that read them by OpenFeature. Pure.

The plain keys of the ConfigMap stay what is written, compared and held by the kill switch; the document is made of
them in the same write. Its form: https://flagd.dev/reference/flag-definitions/
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .._templates import JINJA2, template

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
    """The flags of a ConfigMap, without a document or file beside them."""
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


with JINJA2:
    import jinja2

STATES = ("ENABLED", "DISABLED")
Flags = t.Mapping[str, "bool | int | str"]


@dataclass(frozen=True)
class Document:
    """`template`: Jinja that makes the JSON of `flags`; "" for each flag as it is, under its own name."""

    key: str
    template: str = ""

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None) -> Document | None:
        """Raises InputError."""
        if not options:
            return None
        key = options["key"]
        if NAME.fullmatch(key) or not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            raise InputError(
                f"The key {key!r} of 'flagd' must be a file's name, and not a flag's: like flags.flagd.json."
            )
        return cls(key, options.get("template") or "")

    def render(self, data: t.Mapping[str, str]) -> str:
        """The document of all flags in `data`. Raises InputError for a flag that flagd would not read."""
        flags = {name: to_typed(text) for name, text in only_flags(data).items()}
        if not self.template:
            return _document_text(
                {"flags": {name: as_it_is(value) for name, value in flags.items()}}
            )
        try:
            made = template(self.template, autoescape=False).render(flags=flags)
            document = json.loads(made)
        except json.JSONDecodeError as exc:
            raise InputError(f"The template of 'flagd' makes no JSON: {exc}.") from None
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError) as exc:
            raise InputError(f"The template of 'flagd' cannot be rendered: {exc}.") from None
        check(document)
        return _document_text(document)


def to_typed(text: str) -> bool | int | str:
    if text in BOOLEANS.values():
        return text == BOOLEANS[True]
    return int(text) if re.fullmatch(r"0|-?[1-9][0-9]*", text) else text


def as_it_is(value: bool | int | str) -> dict[str, t.Any]:
    if isinstance(value, bool):
        return {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "on" if value else "off",
        }
    return {"state": "ENABLED", "variants": {"value": value}, "defaultVariant": "value"}


def check(document: t.Any) -> None:
    """The least that every provider asks of it. Targeting is the provider's to judge."""
    flags = document.get("flags") if isinstance(document, dict) else None
    if not isinstance(flags, dict) or not flags:
        raise InputError("The template of 'flagd' makes no document with 'flags' by name.")
    for name, flag in flags.items():
        wrong = _wrong(flag if isinstance(flag, dict) else {})
        if wrong:
            raise InputError(f"The template of 'flagd' makes a flag {name!r} {wrong}.")


def _wrong(flag: t.Mapping[str, t.Any]) -> str:
    variants, default = flag.get("variants"), flag.get("defaultVariant")
    if flag.get("state") not in STATES:
        return f"whose state is none of {' and '.join(STATES)}"
    if not isinstance(variants, dict) or not variants:
        return "without variants"
    if default is not None and default not in variants:
        return f"whose defaultVariant {default!r} is none of its variants"
    return ""


def _document_text(document: t.Any) -> str:
    return f"{json.dumps(document, indent=2)}\n"
