# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Blanks out the secrets that a run knows, and what has the form of one, in what callbacks tell."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._redaction import BLANK, redact

SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api_?key|access_key|private_key|webhook_url", re.I
)
SECRET_FORMS = (
    re.compile(r"\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}"),
    re.compile(r"\bsbp_[0-9a-f]{20,}|\bgh[pousr]_\w{16,}|\bsk-[\w-]{16,}|\bAKIA[A-Z0-9]{12,}"),
    re.compile(r"(?<=/)T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/\w{8,}"),
)
# Shorter ones would blank out ordinary words.
SECRET_LENGTH = 6


class Redactor:
    """Blanks out known values and what has the form of a secret."""

    def __init__(self, values: t.Iterable[str] = ()) -> None:
        # The longest first: one may be a part of another.
        self._values = sorted({v for v in values if len(v) >= SECRET_LENGTH}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, BLANK)
        for form in SECRET_FORMS:
            text = form.sub(BLANK, text)
        return redact(text)

    def within(self, value: t.Any, depth: int = 6) -> t.Any:
        """The same inside lists and dicts; what is under a secret's name is blank as a whole."""
        if isinstance(value, str):
            return self(value)
        if depth == 0 and isinstance(value, (dict, list, tuple)):
            return "…"
        if isinstance(value, dict):
            return {
                str(k): BLANK
                if isinstance(v, str) and v and SECRET_NAME.search(str(k))
                else self.within(v, depth - 1)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.within(item, depth - 1) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))
