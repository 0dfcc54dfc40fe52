# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in one plain form, LEVEL event key=value, for people and for `grep ERROR`."""

from __future__ import annotations

import json
import typing as t


class Log:
    """Writes structured lines through the container's own log."""

    def __init__(self, write: t.Callable[[str], None]) -> None:
        self._write = write

    def line(self, text: str) -> None:
        self._write(text)

    def info(self, event: str, **fields: object) -> None:
        self._write(render("INFO", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self._write(render("WARNING", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self._write(render("ERROR", event, fields))


def render(level: str, event: str, fields: t.Mapping[str, object]) -> str:
    return " ".join((level, event, *(f"{key}={_value(value)}" for key, value in fields.items())))


def masked(number: str) -> str:
    """A telephone number as logs may have it: the last four digits."""
    return f"***{number[-4:]}"


def described(exc: BaseException) -> str:
    """An exception as one short text; some have no message at all."""
    return f"{type(exc).__name__}: {exc}".splitlines()[0].removesuffix(": ")


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(letter.isspace() or letter in '"=' for letter in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
