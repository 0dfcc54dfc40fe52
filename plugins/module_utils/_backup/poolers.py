# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a dump or a restore says to a pooler that shares the server's sessions."""

from __future__ import annotations

import typing as t

from .._errors import RefusedError
from .._pooler import shares_sessions

if t.TYPE_CHECKING:
    from .._postgres import PostgresSession, PostgresTarget


def refuse_pooler(session: PostgresSession, target: PostgresTarget) -> None:
    if shares_sessions(session, target):
        raise RefusedError(
            f"A pooler at {target.host}:{target.port} gives each transaction another session, so "
            "settings and locks of a dump or a restore would be lost: connect to the server "
            "itself, or to the pooler's "
            "port for whole sessions (of Supabase 5432, not 6543). Nothing was touched."
        )
