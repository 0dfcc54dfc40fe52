# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the images of the release are in their registry, before anything is touched."""

from __future__ import annotations

import typing as t

from .._cluster import MonotonicClock
from .._http import REQUESTS
from .._images import HttpRegistry, MissingImagesError, Reference, resolve
from .._words import counted
from .models import Finding, Ground, Kind, Options, failed, passed, skipped


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    if options["absent"]:
        return [skipped(options["absent"])]
    references = [Reference.parse(one) for one in dict.fromkeys(options["images"])]
    registry = HttpRegistry(
        api=options["registry"],
        username=options["username"],
        password=options["password"],
        ca_cert=options["ca_cert"],
        timeout=ground.timeout,
        patience=ground.timeout,
        clock=MonotonicClock(),
    )
    try:
        resolve(registry, references)
    except MissingImagesError as exc:
        return [failed(str(exc))]
    number, services = counted(len(references), "image"), counted(len(options["images"]), "service")
    return [passed(f"the registry has the {number} of {services}")]


KIND = Kind(
    look,
    {
        "images": {"type": "list", "elements": "str", "required": True},
        "registry": {"type": "str", "default": ""},
        "username": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
        "ca_cert": {"type": "path"},
        "absent": {"type": "str", "default": ""},
    },
    (REQUESTS,),
)
