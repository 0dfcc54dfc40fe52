# SPDX-License-Identifier: GPL-3.0-or-later
"""Blanks out the secrets that a run knows, and what has the form of one, in what callbacks and reports tell."""

from __future__ import annotations

import base64
import json
import typing as t
from urllib.parse import quote

from .._redaction import BLANK, redact
from .._secret_forms import naming

# Shorter ones would blank out ordinary words.
SECRET_LENGTH = 6


class Redactor:
    """Blanks out known values, in each form that logs show them in, and what has the form of a secret."""

    def __init__(self, values: t.Iterable[str] = ()) -> None:
        known = {
            form for value in values if len(value) >= SECRET_LENGTH for form in forms_of(value)
        }
        # The longest first: one may be a part of another.
        self._values = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, BLANK)
        return redact(text)

    def within(self, value: t.Any, depth: int = 6) -> t.Any:
        """The same inside lists and dicts; what is under a secret's name is blank as a whole."""
        if isinstance(value, str):
            return self(value)
        if depth == 0 and isinstance(value, (dict, list, tuple)):
            return "…"
        if isinstance(value, dict):
            return {
                str(k): BLANK if is_secret(str(k), v) else self.within(v, depth - 1)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.within(item, depth - 1) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))


def forms_of(value: str) -> set[str]:
    """As it is, in JSON, in a URL, and in a basic credential."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")
    return {value, json.dumps(value)[1:-1], quote(value, safe=""), encoded}


def is_secret(name: str, value: t.Any) -> bool:
    """By its name; where that goes on after the word for a secret, a value of several words is none."""
    if not isinstance(value, str) or not value:
        return False
    named = naming(name)
    return named is not None and (named.kind != "related" or len(value.split()) == 1)
