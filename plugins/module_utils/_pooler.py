# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether what stands between us and a server gives each transaction another of its sessions."""

from __future__ import annotations

import typing as t

from ._postgres import connected

if t.TYPE_CHECKING:
    from ._postgres import PostgresSession, PostgresTarget

_LOOKS = 3


def shares_sessions(session: PostgresSession, target: PostgresTarget) -> bool:
    """Whether settings, snapshots and locks of ours would be other people's; not with a pooler of whole sessions.

    A pooler announces a process of its own. Nothing is held open for the look, for in statement mode that is refused.
    """
    if session.process == session.announced_process:
        return False
    with connected(target, application_name="easymo.deploy, is this a pooler") as other:
        ours, theirs = set(), set()
        for _look in range(_LOOKS):
            ours.add(session.process)
            theirs.add(other.process)
    return len(ours) > 1 or bool(ours & theirs)
