# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether a server can make the extensions that a backup needs, asked before anything is made or dropped."""

from __future__ import annotations

import typing as t

from .._errors import RefusedError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session
    from .models import RestoreRequest

_AVAILABLE = "SELECT e.name::text FROM pg_catalog.pg_available_extensions e"


def refuse_missing_extensions(
    session: Session, order: RestoreRequest, needed: Sequence[str]
) -> None:
    available = {name for (name,) in session.rows(_AVAILABLE)}
    missing = sorted(set(needed) - available)
    if missing:
        raise RefusedError(
            f"{order.backup.uri} needs extensions that the server at "
            f"{order.target.host}:{order.target.port} lacks: {', '.join(missing)}: install them "
            "there, or restore on a server that has them. "
            "Nothing was touched."
        )
