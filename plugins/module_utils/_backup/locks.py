# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How many objects a server can hold locked at once, asked before something locks thousands of them."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from .._errors import RefusedError

if t.TYPE_CHECKING:
    from .._postgres import Session

CURE = "raise max_locks_per_transaction of the server and restart it"
_FULL = "out of shared memory"
# PostgreSQL promises so many; what is left of its shared memory holds up to as many again.
_SURE_TO_FAIL = 2
_STEP = 64

# MaxBackends of src/backend/utils/init/postinit.c and the prepared transactions, each with its share of the lock table
# (NLOCKENTS of lock.c). autovacuum_worker_slots came with 18.
_SETTINGS = """
SELECT pg_catalog.current_setting('max_locks_per_transaction')::int,
       pg_catalog.current_setting('max_connections')::int
       + COALESCE(pg_catalog.current_setting('autovacuum_worker_slots', true),
                  pg_catalog.current_setting('autovacuum_max_workers'))::int
       + pg_catalog.current_setting('max_worker_processes')::int
       + pg_catalog.current_setting('max_wal_senders')::int
       + pg_catalog.current_setting('max_prepared_transactions')::int + 2,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l WHERE NOT l.fastpath)
"""


@dataclass(frozen=True)
class Room:
    per_transaction: int
    shares: int
    taken: int

    @property
    def free(self) -> int:
        return max(0, self.per_transaction * self.shares - self.taken)

    def enough(self, needed: int) -> int:
        """What max_locks_per_transaction must be for so many."""
        return math.ceil((needed + self.taken) / self.shares / _STEP) * _STEP


def find_room(session: Session) -> Room:
    return Room(*session.rows(_SETTINGS)[0])


def refuse_shortage(room: Room, needed: int, what: str, otherwise: str = "") -> None:
    """Only what cannot work; nothing of what is between the promise and that is known."""
    if needed > _SURE_TO_FAIL * room.free:
        raise RefusedError(
            f"{what} locks at least {needed} objects at once, but the server has room for "
            f"{room.free}: set its "
            f"max_locks_per_transaction (now {room.per_transaction}) to {room.enough(needed)} or more and restart it"
            f"{otherwise}. Nothing was touched."
        )


def cure(said: str) -> str:
    """What to do when the server says that its lock table is full; empty when it says something else."""
    return f" No room for one more lock: {CURE}." if _FULL in said else ""
