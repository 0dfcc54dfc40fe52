# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads JSON of which nothing is certain into frozen dataclasses, by the types of their fields. Pure.

What has another kind than its field is left out, and the problem noted: people and older versions write records too.
"""

from __future__ import annotations

import functools
import types
import typing as t
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass

from .._formats import number

Shape = t.TypeVar("Shape")
Problems = list[str]
CALLED = ("file", "name", "slug", "field", "text")


def decode(shape: type[Shape], value: t.Any, name: str, problems: Problems) -> Shape:  # noqa: UP047 - as all
    """`name` is the key under which the value stands. `RAW` of the type is the field that keeps the whole."""
    raw = getattr(shape, "RAW", "")
    whole = {raw: value} if raw else {}
    if not isinstance(value, dict):
        if value is not None and not raw:
            problems.append(f"'{name}' is no dictionary.")
        return shape(**whole)
    known = {}
    for key, paths, kind in _plan(t.cast("t.Any", shape)):
        for path in paths:
            result = _dig(value, path)
            if result not in (None, ""):
                known[key] = _read(kind, result, path[-1], problems)
                break
    return shape(**{**known, **whole})


def under(*places: str, default: t.Any = "") -> t.Any:
    """A field that is read from the first of these keys that is there, each a path like "before.image"."""
    return field(
        default=default, metadata={"at": tuple(tuple(entry.split(".")) for entry in places)}
    )


def _dig(value: t.Any, path: t.Sequence[str]) -> t.Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: t.Any) -> str:
    return "" if value is None else str(value)


@functools.cache
def _plan(shape: t.Any) -> list[tuple[str, tuple[tuple[str, ...], ...], t.Any]]:
    """Each field with the places where it may stand, and its type."""
    kinds = t.get_type_hints(shape)
    return [
        (entry.name, entry.metadata.get("at", ((entry.name,),)), kinds[entry.name])
        for entry in fields(shape)
    ]


def _read(kind: t.Any, value: t.Any, name: str, problems: Problems) -> t.Any:
    origin, arguments = t.get_origin(kind), t.get_args(kind)
    if origin in (types.UnionType, t.Union):
        return _maybe(arguments[0], value, name, problems)
    if origin is tuple:
        return _entries(arguments[0], value, name, problems)
    if origin is Mapping:
        return _by_name(arguments[1], value, name, problems)
    if is_dataclass(kind):
        return decode(t.cast("type[t.Any]", kind), value, name, problems)
    return _plain(kind, value, name, problems)


def _plain(kind: t.Any, value: t.Any, name: str, problems: Problems) -> t.Any:
    if kind is bool:
        return value is True
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else 0
    if kind is str and isinstance(value, (dict, list)):
        problems.append(f"'{name}' is no text.")
        return ""
    return text(value) if kind is str else value


def _maybe(kind: t.Any, value: t.Any, name: str, problems: Problems) -> t.Any:
    """None where there is nothing."""
    if kind is float:
        return number(value)
    if value is None or (value == {} and is_dataclass(kind)):
        return None
    if is_dataclass(kind) and not isinstance(value, dict):
        problems.append(f"'{name}' is no dictionary.")
        return None
    return _read(kind, value, name, problems)


def _by_name(kind: t.Any, value: t.Any, name: str, problems: Problems) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        if value is not None:
            problems.append(f"'{name}' is no dictionary.")
        return {}
    known = {str(key): entry for key, entry in value.items()}
    if is_dataclass(kind):
        known = {key: entry for key, entry in known.items() if isinstance(entry, dict)}
        _count_lost(len(value) - len(known), name, problems)
    return {key: _read(kind, entry, key, problems) for key, entry in known.items()}


def _entries(kind: t.Any, value: t.Any, name: str, problems: Problems) -> tuple[t.Any, ...]:
    """Of a list, or of a dictionary by name. A `TEXT` of the type is the field of an entry that is only a text."""
    if isinstance(value, dict):
        pairs = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, (list, tuple)):
        pairs = [("", entry) for entry in value]
    else:
        if value is not None:
            problems.append(f"'{name}' is neither a dictionary nor a list.")
        return ()
    if not is_dataclass(kind):
        return tuple(
            _read(kind, pair, name, problems) if kind is not str else _named(pair)
            for _key, pair in pairs
        )
    as_text = getattr(kind, "TEXT", "")
    named = any(entry.name == "name" for entry in fields(kind))
    results = []
    for key, pair in pairs:
        body = pair if isinstance(pair, dict) else {as_text: pair} if as_text else None
        if body is not None:
            answers = {"name": key or text(body.get("name")) or "?"} if named else {}
            results.append(decode(t.cast("type[t.Any]", kind), {**body, **answers}, name, problems))
    _count_lost(len(pairs) - len(results), name, problems)
    return tuple(results)


def names(results: t.Sequence[t.Any]) -> list[str]:
    return [_named(result) for result in results]


def _named(entry: t.Any) -> str:
    """An entry of a list as text, by what it is called; or the entry itself."""
    if not isinstance(entry, dict):
        return text(entry)
    return next((text(entry[key]) for key in CALLED if entry.get(key)), "")


def _count_lost(lost: int, name: str, problems: Problems) -> None:
    if lost:
        problems.append(f"{lost} entries of '{name}' are no dictionaries.")
