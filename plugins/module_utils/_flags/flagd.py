# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags once more as a flagd document, for applications that read them by OpenFeature. Pure.

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
from .values import BOOLEANS, NAME, only_flags

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
            return _to_text({"flags": {name: as_it_is(value) for name, value in flags.items()}})
        try:
            made = template(self.template, autoescape=False).render(flags=flags)
            document = json.loads(made)
        except json.JSONDecodeError as exc:
            raise InputError(f"The template of 'flagd' makes no JSON: {exc}.") from None
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError) as exc:
            raise InputError(f"The template of 'flagd' cannot be rendered: {exc}.") from None
        check(document)
        return _to_text(document)


def to_typed(text: str) -> bool | int | str:
    for value, written in BOOLEANS.items():
        if text == written:
            return value
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


def _to_text(document: t.Any) -> str:
    return f"{json.dumps(document, indent=2)}\n"
