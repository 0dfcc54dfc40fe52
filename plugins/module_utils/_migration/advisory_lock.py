# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Hold a PostgreSQL advisory lock, so that two operators never migrate one database at the same time."""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager, suppress

from .._errors import UnreachableError
from .._postgres import SqlError
from .errors import LockedError

if t.TYPE_CHECKING:
    from .._postgres import Session

_POLL = 0.25

_HOLDERS = """
SELECT a.pid, a.usename, a.application_name, host(a.client_addr), a.backend_start::timestamptz(0)::text
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
) AND (l.classid::bigint << 32 | l.objid::bigint) = %s AND l.objsubid = 1
"""


@contextmanager
def advisory_lock(
    session: Session,
    key: int,
    *,
    timeout: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> t.Iterator[None]:
    """Hold lock `key` of this session while the block runs; LockedError names the holder after `timeout` seconds."""
    deadline = clock() + timeout
    while not session.rows("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,))[0][0]:
        if clock() >= deadline:
            raise LockedError(
                f"Another migration has locked this database for more than {timeout:g} s: "
                f"{_describe_holder(session, key)}. Wait for it, or end it if it should not run."
            )
        sleep(min(_POLL, max(0.0, deadline - clock())))
    try:
        yield
    finally:
        _release(session, key)


def _release(session: Session, key: int) -> None:
    # With the connection gone, so is the lock; what went wrong before is the error to report.
    with suppress(UnreachableError, SqlError):
        session.rows("SELECT pg_catalog.pg_advisory_unlock(%s)", (key,))


def _describe_holder(session: Session, key: int) -> str:
    rows = session.rows(_HOLDERS, (key,))
    if not rows:
        return "the holder has just gone"
    pid, user, program, address, since = rows[0]
    return f"process {pid} ({program or 'no name'}) of {user} from {address or 'a local socket'} since {since}"
