# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files and folders that a release is made of are here."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .models import Finding, Ground, Kind, Options, failed, passed


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    missing = [path for path in options["paths"] if not Path(path).exists()]
    if missing:
        return [
            failed(
                f"missing: {', '.join(missing)}; check out the application at the release's tag "
                "and set release_checkout"
            )
        ]
    return [passed(f"{len(options['paths'])} files and folders exist")]


KIND = Kind(look, {"paths": {"type": "list", "elements": "path", "required": True}})
