# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads JSON of which nothing is certain into frozen dataclasses, by the types of their fields. Pure.

What has another kind than its field is left out, and the problem noted: people and older versions write records too.
What a program alone writes for itself is `dumped`, and `restored` whole or not at all.
"""

from __future__ import annotations

import functools
import json
import types
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, field, fields, is_dataclass
from datetime import datetime
from enum import EnumMeta

from ._formats import number
from ._time import format_time, read_time

Shape = t.TypeVar("Shape")
Problems = list[str]
CALLED = ("file", "name", "slug", "field", "text")


def decode(shape: type[Shape], value: t.Any, name: str, problems: Problems) -> Shape:  # noqa: UP047 - as all
    """`name` is the key under which the value stands. `RAW` of the type is the field that keeps the whole."""
    raw = getattr(shape, "RAW", "")
    known = {raw: value} if raw else {}
    if not isinstance(value, dict):
        if value is not None and not raw:
            problems.append(f"'{name}' is no dictionary.")
        return shape(**known)
    for key, paths, read, _part in _plan(t.cast("t.Any", shape)):
        for path in paths:
            result = value.get(path[0]) if len(path) == 1 else _dig(value, path)
            if result is not None and result != "":
                known[key] = read(result, path[-1] if path else name, problems)
                break
    if raw:
        known[raw] = value
    return shape(**known)


def encoded(value: t.Any) -> dict[str, t.Any]:
    """The JSON of a dataclass as `decode` reads it: each field under the first place where it may stand.

    A part that is not there is left out, and a value that is not is null.
    """
    body: dict[str, t.Any] = {}
    for name, places, _read, part in _plan(t.cast("t.Any", type(value))):
        entry = getattr(value, name)
        if entry is None and part:
            continue
        *outer, key = places[0]
        place = functools.reduce(lambda known, above: known.setdefault(above, {}), outer, body)
        place[key] = _as_json(entry)
    return body


def _as_json(value: t.Any) -> t.Any:
    if is_dataclass(value):
        return encoded(value)
    return [_as_json(entry) for entry in value] if isinstance(value, tuple) else value


def dumped(value: t.Any) -> str:
    """A dataclass as JSON."""
    return json.dumps(asdict(value), default=_plain)


def _plain(value: t.Any) -> t.Any:
    return format_time(value) if isinstance(value, datetime) else value.value


def restored(shape: type[Shape], body: t.Any, name: str) -> Shape:  # noqa: UP047 - as all
    """Of what `dumped` or another program wrote, be it by another version with fewer or more fields.

    Raises ValueError where a field is missing that has no default, or anything has another kind than its field.
    """
    problems: Problems = []
    try:
        result = decode(shape, body, name, problems)
    except (TypeError, OverflowError) as exc:
        raise ValueError(f"'{name}' has another shape ({exc})") from exc
    if problems or not isinstance(body, dict):
        raise ValueError(problems[0] if problems else f"'{name}' is no dictionary.")
    return result


def restored_each(shape: type[Shape], body: t.Any, name: str) -> list[Shape]:  # noqa: UP047 - as all
    """The same of a list."""
    if not isinstance(body, list):
        raise ValueError(f"'{name}' is no list.")
    return [restored(shape, entry, name) for entry in body]


def restored_by_name(shape: type[Shape], body: t.Any, name: str) -> dict[str, Shape]:  # noqa: UP047 - as all
    """The same of a dictionary, of which each value is one."""
    if not isinstance(body, dict):
        raise ValueError(f"'{name}' is no dictionary.")
    return {key: restored(shape, entry, key) for key, entry in body.items()}


def under(*places: str, whole: bool = False, required: bool = False, **default: t.Any) -> t.Any:
    """A field that is read from the first of these keys that is there, each a path like "before.image".

    `whole`: of the same dictionary as the fields beside it, as a part of its own.
    """
    at = ((),) if whole else tuple(tuple(entry.split(".")) for entry in places)
    return field(**({} if required else default or {"default": ""}), metadata={"at": at})


def _dig(value: t.Any, path: t.Sequence[str]) -> t.Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: t.Any) -> str:
    return "" if value is None else str(value)


Read = t.Callable[[t.Any, str, Problems], t.Any]
"""The value under a key, by the type of its field."""


@functools.cache
def _plan(shape: t.Any) -> list[tuple[str, tuple[tuple[str, ...], ...], Read, bool]]:
    """Each field with the places where it may stand, how it is read, and whether it is a part that may be missing."""
    kinds = t.get_type_hints(shape)
    return [
        (
            entry.name,
            entry.metadata.get("at", ((entry.name,),)),
            _reader(kinds[entry.name]),
            any(map(is_dataclass, t.get_args(kinds[entry.name]))),
        )
        for entry in fields(shape)
    ]


@functools.cache
def _reader(kind: t.Any) -> Read:
    origin, arguments = t.get_origin(kind), t.get_args(kind)
    if origin in (types.UnionType, t.Union):
        return _maybe(arguments[0])
    if origin is tuple:
        return _entries(arguments[0])
    if origin in (Mapping, dict):
        return _by_name(arguments[1])
    if is_dataclass(kind):
        return functools.partial(decode, t.cast("type[t.Any]", kind))
    if hasattr(kind, "_fields"):
        return _named_tuple(kind)
    if isinstance(kind, EnumMeta):
        return lambda value, _name, _problems: kind(value)
    if kind is datetime:
        # Not among the scalars: the simulation has a clock of its own in its place.
        return lambda value, _name, _problems: read_time(value)
    return SCALARS.get(kind, lambda value, _name, _problems: value)


def _text(value: t.Any, name: str, problems: Problems) -> str:
    if isinstance(value, (dict, list)):
        problems.append(f"'{name}' is no text.")
        return ""
    return text(value)


def _whole(value: t.Any, name: str, problems: Problems) -> int:
    if type(value) is not int:
        problems.append(f"'{name}' is no whole number.")
        return 0
    return value


def _number(value: t.Any, name: str, problems: Problems) -> float:
    # A state that is restored may have added up to more than a float holds.
    result = value if type(value) is float else number(value)
    if result is None:
        problems.append(f"'{name}' is no number.")
    return result or 0.0


SCALARS: t.Mapping[t.Any, Read] = {
    bool: lambda value, _name, _problems: value is True,
    int: _whole,
    float: _number,
    str: _text,
}


def _named_tuple(kind: t.Any) -> Read:
    readers = [_reader(inner) for inner in t.get_type_hints(kind).values()]

    def of_list(value: t.Any, name: str, problems: Problems) -> t.Any:
        pairs = zip(readers, value, strict=False)
        return kind(*(read(entry, name, problems) for read, entry in pairs))

    return of_list


def _maybe(kind: t.Any) -> Read:
    """None where there is nothing."""
    if kind is float:
        return lambda value, _name, _problems: number(value)
    read, nested = _reader(kind), is_dataclass(kind)

    def maybe(value: t.Any, name: str, problems: Problems) -> t.Any:
        if value is None or (nested and value == {}):
            return None
        if nested and not isinstance(value, dict):
            problems.append(f"'{name}' is no dictionary.")
            return None
        return read(value, name, problems)

    return maybe


def _by_name(kind: t.Any) -> Read:
    read, nested = _reader(kind), is_dataclass(kind)

    def by_name(value: t.Any, name: str, problems: Problems) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            problems.append(f"'{name}' is no dictionary.")
            return {}
        known = {
            str(key): entry for key, entry in value.items() if isinstance(entry, dict) or not nested
        }
        _count_lost(len(value) - len(known), name, problems)
        return {key: read(entry, key, problems) for key, entry in known.items()}

    return by_name


def _entries(kind: t.Any) -> Read:
    """Of a list, or of a dictionary by name. A `TEXT` of the type is the field of an entry that is only a text."""
    read, nested, as_text = _reader(kind), is_dataclass(kind), getattr(kind, "TEXT", "")
    named = nested and any(entry.name == "name" for entry in fields(kind))

    def entry_of(key: str, pair: t.Any, name: str, problems: Problems) -> t.Any:
        if not nested:
            return _named(pair) if kind is str else read(pair, name, problems)
        body = pair if isinstance(pair, dict) else {as_text: pair} if as_text else None
        if body is not None and named:
            body = {**body, "name": key or text(body.get("name")) or "?"}
        return None if body is None else read(body, name, problems)

    def entries(value: t.Any, name: str, problems: Problems) -> tuple[t.Any, ...]:
        if isinstance(value, dict):
            pairs = [(str(key), entry) for key, entry in value.items()]
        elif isinstance(value, (list, tuple)):
            pairs = [("", entry) for entry in value]
        else:
            if value is not None:
                problems.append(f"'{name}' is neither a dictionary nor a list.")
            return ()
        results = [entry_of(key, pair, name, problems) for key, pair in pairs]
        if nested:
            results = [entry for entry in results if entry is not None]
        _count_lost(len(pairs) - len(results), name, problems)
        return tuple(results)

    return entries


def _named(entry: t.Any) -> str:
    """An entry of a list as text, by what it is called; or the entry itself."""
    if not isinstance(entry, dict):
        return text(entry)
    return next((text(entry[key]) for key in CALLED if entry.get(key)), "")


def _count_lost(lost: int, name: str, problems: Problems) -> None:
    if lost:
        problems.append(f"{lost} entries of '{name}' are no dictionaries.")
