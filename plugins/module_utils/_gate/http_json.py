# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an address that answers with JSON for one number in it."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

from .. import _http
from .._errors import DeployError, InputError
from .models import Sample, failed_sample

_LARGEST = 1 << 20
"""Bytes of an answer, which has a count in it."""


@dataclass(frozen=True)
class HttpSource:
    """`timeout` in seconds. Whatever is answered but one number is a missing sample."""

    url: str
    timeout: float
    token: str = field(default="", repr=False)
    ca_cert: str | None = None

    def sample(self, query: str) -> Sample:
        where = _http.without_query(self.url)
        try:
            answer = _http.ask(
                where,
                "GET",
                self.url,
                timeout=self.timeout,
                authorization=_http.bearer(self.token),
                ca_cert=self.ca_cert,
                largest=_LARGEST,
                headers={"Accept": "application/json"},
            )
            _http.good(answer, where, secret=self.token)
        except DeployError as exc:
            return failed_sample(str(exc))
        try:
            document = answer.json()
        except ValueError:
            return failed_sample(f"{where} answered without JSON")
        return number_at(document, query)


def read_pointer(text: str) -> list[str]:
    """The names of a JSON Pointer (RFC 6901), such as "/count/value"; empty for the whole document."""
    if text and not text.startswith("/"):
        raise InputError(
            f"{text!r} is not a JSON Pointer: write the names on the way to the number, each after a slash, "
            "as '/count/value'."
        )
    return [name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:]]


def number_at(document: t.Any, pointer: str) -> Sample:
    found = document
    for name in read_pointer(pointer):
        inner = dict(enumerate(found)) if isinstance(found, list) else found
        key = int(name) if isinstance(found, list) and name.isdecimal() else name
        if not isinstance(inner, dict) or key not in inner:
            return failed_sample(f"the answer has nothing at {pointer}")
        found = inner[key]
    if found is None:
        return Sample(None, f"{pointer} is null")
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return failed_sample(f"{pointer} is no number")
    if not math.isfinite(found):
        return failed_sample(f"{pointer} is {found}")
    return Sample(float(found))
