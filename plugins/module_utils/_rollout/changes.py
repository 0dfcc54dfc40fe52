# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that other writers made to a pod template since it was pinned, field by field. Pure."""

from __future__ import annotations

import json
import typing as t

from .._cluster import TEMPLATE_ANNOTATIONS, Object
from .._redaction import redact

KEYS = ("name", "mountPath", "containerPort", "key", "topologyKey", "ip")
"""Keys that identify the entries of a list in a pod template: the first key that all entries have."""
LONGEST = 120
HIDDEN = "(not shown)"
ABSENT = "absent"


class Taken(t.NamedTuple):
    """One field of today's template, what it is, and what it becomes when its pin is returned to."""

    field: str
    now: str
    then: str

    def __str__(self) -> str:
        return f"{self.field} ({self.now} becomes {self.then})"


def taken_away(
    now: Object, then: Object, *, ours: t.Collection[str], variables: t.Collection[str] = ()
) -> list[Taken]:
    """The fields that a return from template `now` to `then` changes and the release did not write.

    `ours` are the containers whose image it set, and `variables` the names of those that it gave them. Values of
    environment variables are not shown, for they may be secrets.
    """
    return [
        Taken(field, _shown(field, before), _shown(field, after))
        for field, before, after in _differences("", _whole(now), _whole(then))
        if not _is_own(field, ours, variables)
    ]


def describe_changes(taken: t.Sequence[Taken]) -> str:
    """One sentence about all changes; "" without any."""
    if not taken:
        return ""
    return (
        "The rollback removes changes made by somebody else since the pin: "
        f"{'; '.join(map(str, taken))}."
    )


def _whole(template: Object) -> Object:
    """With annotations, so that each that comes or goes is a field of its own."""
    annotations = template["metadata"].get("annotations") or {}
    return {**template, "metadata": {**template["metadata"], "annotations": annotations}}


_MISSING = object()
_Difference = tuple[str, t.Any, t.Any]


def _differences(path: str, now: t.Any, then: t.Any) -> t.Iterator[_Difference]:
    if now == then:
        return
    if path.endswith("].env"):
        # Each variable that is added or removed is a field of its own, the first one too.
        now, then = ([] if value is _MISSING else value for value in (now, then))
    entries = _by_key(now), _by_key(then)
    if isinstance(now, list) and isinstance(then, list) and None not in entries:
        now, then = entries
        joined = "{path}[{key}]"
    elif isinstance(now, dict) and isinstance(then, dict):
        joined = "{path}.{key}" if path else "{key}"
    else:
        yield path, now, then
        return
    if [*now] != [*then] and now == then:
        yield f"{path} (order)", [*now], [*then]
    for key in dict.fromkeys([*now, *then]):
        yield from _differences(
            joined.format(path=path, key=key), now.get(key, _MISSING), then.get(key, _MISSING)
        )


def _by_key(entries: t.Any) -> dict[str, t.Any] | None:
    """The list's objects by their identifying key; None when no key identifies them."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    for key in KEYS:
        if all(key in entry for entry in entries):
            by_key = {str(entry[key]): entry for entry in entries}
            if len(by_key) == len(entries):
                return by_key
    return None


def _is_own(field: str, ours: t.Collection[str], variables: t.Collection[str]) -> bool:
    if field.removeprefix("metadata.annotations.") in TEMPLATE_ANNOTATIONS:
        return True
    container, _end, rest = field.removeprefix("spec.containers[").partition("].")
    return container in ours and (
        rest == "image" or any(f"{rest}.".startswith(f"env[{name}].") for name in variables)
    )


def _shown(field: str, value: t.Any) -> str:
    if value is _MISSING:
        return ABSENT
    if ".env[" in field or field.endswith(".env"):
        return HIDDEN
    text = redact(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
