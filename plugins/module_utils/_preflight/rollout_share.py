# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a number is outside of the first percentage of the users, by the application's own way to draw them."""

from __future__ import annotations

import hashlib
import typing as t

from .models import Finding, Ground, Kind, Options, failed, passed, skipped


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    draw = options["draw"]
    if not (draw and draw["hash"]):
        return [
            skipped(
                "only the application knows whom it draws first; the smoke tests send a message from this number"
            )
        ]
    share = share_of(options["number"], draw)
    percentage, number = options["percentage"], options["number"]
    at = f"{number} is drawn at {share:.2f} %"
    if share >= percentage:
        return [passed(f"{at}, outside of the first {percentage:g} %")]
    return [
        failed(f"{at}, among the first {percentage:g} %, but a number is needed that gets the menu")
    ]


def share_of(number: str, draw: t.Mapping[str, t.Any]) -> float:
    """Where a number stands among all users, from 0 to 100 %."""
    digits = "".join(filter(str.isdecimal, number)) if draw["digits_only"] else number
    digest = hashlib.new(draw["hash"], (draw["prefix"] + digits).encode()).digest()
    buckets = int(draw["buckets"])
    return int.from_bytes(digest[: draw["bytes"]], "big") % buckets / buckets * 100


KIND = Kind(
    look,
    {
        "number": {"type": "str", "required": True},
        "percentage": {"type": "float", "required": True},
        "draw": {
            "type": "dict",
            "options": {
                "hash": {"type": "str", "choices": ["md5", "sha1", "sha256"]},
                "prefix": {"type": "str", "default": ""},
                "digits_only": {"type": "bool", "default": True},
                "bytes": {"type": "int", "default": 8},
                "buckets": {"type": "int", "default": 100},
            },
        },
    },
)
