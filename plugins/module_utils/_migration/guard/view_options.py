# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of views, which decide whose rights and which rows count."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from .parser import Node

_OFF = ("false", "off", "no", "0", "")


def read_options(body: Node) -> frozenset[str]:
    """Of a ViewStmt, those that are on, and which check it has of what is written through it."""
    texts = [
        (each["DefElem"]["defname"], _option_text(each["DefElem"].get("arg")))
        for each in body.get("options", ())
    ]
    check = body.get("withCheckOption", "").removesuffix("_CHECK_OPTION").lower()
    return to_options([*texts, ("check_option", check.replace("no", ""))])


def _option_text(arg: Node | None) -> str:
    if arg is None:
        return "true"
    [body] = arg.values()
    return str(next(iter(body.values()), "0"))


def to_options(texts: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of names and what is written for them, where a boolean may be `on`."""
    on = [(name, text.lower()) for name, text in texts if text.lower() not in _OFF]
    return frozenset(f"{name}={text}" if name == "check_option" else name for name, text in on)
