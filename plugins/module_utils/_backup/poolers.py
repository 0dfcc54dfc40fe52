# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether what stands between us and a server gives each transaction another of its sessions."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import connected

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
        PostgresSession,
        PostgresTarget,
        Session,
    )

_LOOKS = 3


def refuse_pooler(session: PostgresSession, target: PostgresTarget) -> None:
    """Settings, snapshots and locks of ours would be other people's; a pooler that gives whole sessions is fine."""
    if not session.pooled:
        return
    with connected(target, application_name="easymo.deploy, is this a pooler") as other:
        ours, theirs = set(), set()
        for _look in range(_LOOKS):
            ours.add(_process(session))
            theirs.add(_process(other))
    if len(ours) > 1 or ours & theirs:
        raise RefusedError(
            f"A pooler at {target.host}:{target.port} gives each transaction another session of the server, so neither "
            "settings nor locks of a dump or a restore would hold: connect to the server itself, or to the pooler's "
            "port for whole sessions (of Supabase 5432, not 6543). Nothing was touched."
        )


def _process(session: Session) -> int:
    return int(session.rows("SELECT pg_catalog.pg_backend_pid()")[0][0])
