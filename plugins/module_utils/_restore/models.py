# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore's request, its observation of the server, and its mark on a database."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from .._backup.plan import Backup
from .._backup.programs import Program
from .._lock.apply import Check, no_check
from .._postgres import PostgresTarget
from .._s3 import S3Bucket

Method = t.Literal["swap", "in_place", "scratch"]
Kind = t.Literal["copy", "failed", "in_place", "scratch"]

MARK = "easymo.deploy pg_restore: "
# A database is born with this connection limit and closed, both in its CREATE DATABASE: should we die before its
# comment is written, it is still known as ours, and as a database that never had a client.
NEWBORN_LIMIT = 1_296_387_405


@dataclass(frozen=True)
class DatabaseMark:
    """Written as the last line of a database's comment, where it outlives every process. `at` is UTC."""

    kind: Kind
    database: str
    """The database that was, or is to be, restored."""
    request: str
    backup: str
    at: str
    approved_by: str = ""
    reason: str = ""
    whole: bool = True
    """Whether all that was to be restored is there."""
    closed: bool = False
    """Whether the run that made this copy has closed the live database to new connections."""

    def comment(self, before: str = "") -> str:
        """The comment with the mark; `before` is the comment without it."""
        lines = f"{before}\n" if before else ""
        return f"{lines}{MARK}{json.dumps(asdict(self), sort_keys=True)}"


def read_mark(comment: str | None) -> DatabaseMark | None:
    """The mark; None when no line of the comment is a mark of ours."""
    for line in reversed((comment or "").splitlines()):
        if line.startswith(MARK):
            try:
                return DatabaseMark(**json.loads(line.removeprefix(MARK)))
            except (ValueError, TypeError):
                return None
    return None


def unmarked(comment: str | None) -> str:
    """The comment as people wrote it."""
    lines = (comment or "").splitlines()
    return "\n".join(line for line in lines if not line.startswith(MARK))


NAME_LIMIT = 63
"""Bytes; PostgreSQL cuts longer names off without a word."""


def derived_name(database: str, word: str, stamp: str) -> str:
    """`<database>_<word>_<stamp>`, the database's name cut where the whole would be too long."""
    tail = f"_{word}_{stamp}"
    room = NAME_LIMIT - len(tail.encode())
    return database.encode()[:room].decode("utf-8", "ignore") + tail


@dataclass(frozen=True)
class ServerDatabase:
    """One database of a server, with the properties that its copy must have too."""

    name: str
    owner: str
    encoding: str
    provider: str
    """libc, icu or builtin."""
    collate: str
    ctype: str
    locale: str | None
    icu_rules: str | None
    tablespace: str
    connection_limit: int
    open: bool
    comment: str | None

    @property
    def mark(self) -> DatabaseMark | None:
        return read_mark(self.comment)

    @property
    def newborn(self) -> bool:
        return not self.open and self.connection_limit == NEWBORN_LIMIT


@dataclass(frozen=True)
class Rights:
    """The rights of the role that we connect as."""

    superuser: bool
    create_databases: bool
    owns: bool
    """Whether it is, or is a member of, the owner of the database to restore."""


@dataclass(frozen=True)
class ServerStatus:
    """The server as observed."""

    version: tuple[int, str]
    databases: tuple[ServerDatabase, ...]
    rights: Rights
    read_only: str = ""
    """The reason for which nothing can be written, with the remedy."""

    def get(self, name: str) -> ServerDatabase | None:
        return next((database for database in self.databases if database.name == name), None)


@dataclass(frozen=True)
class RestoreRequest:
    """Everything that was decided before anything is touched. Times in seconds."""

    method: Method
    target: PostgresTarget
    control: PostgresTarget
    """The same server, with a database to connect to while another is renamed or created."""
    bucket: S3Bucket
    backup: Backup
    request: str
    approved_by: str
    reason: str
    now: datetime
    pg_restore: Program
    psql: Program
    timeout: float
    keep_owners: bool
    report: t.Callable[[str], None]
    """Hears of the progress."""
    check_lock: Check = no_check
    """Called before the restore begins, and right before the restored database goes live."""

    @property
    def database(self) -> str:
        return self.target.database

    @property
    def restores_owners(self) -> bool:
        """In place they are always kept."""
        return self.keep_owners or self.method == "in_place"

    @property
    def copy(self) -> str:
        """The name of the database that a swap restores into."""
        return derived_name(self.database, "restore", f"{self.now:%Y%m%d_%H%M%S}")

    @property
    def retained(self) -> str:
        """The name that the failed database has after a swap, with `now` in UTC."""
        return derived_name(self.database, "failed", f"{self.now:%Y%m%d_%H%M%S}")

    def mark(self, kind: Kind) -> DatabaseMark:
        return DatabaseMark(
            kind=kind,
            database=self.database,
            request=self.request,
            backup=self.backup.manifest.key,
            at=f"{self.now:%Y-%m-%dT%H:%M:%SZ}",
            approved_by=self.approved_by,
            reason=self.reason,
        )

    def aimed_at(self, database: str) -> PostgresTarget:
        return replace(self.target, database=database)


@dataclass(frozen=True)
class RightsCheck:
    """How rights were compared with the backup's."""

    compared: int = 0
    """Of so many objects; 0 where the backup has none or owners were not to be kept."""
    given_back: tuple[str, ...] = ()
    """Objects whose rights were others until they were corrected, as `TABLE public.orders`."""


@dataclass(frozen=True)
class RestoreOutcome:
    """The outcome of a restore."""

    retained: str = ""
    """The new name of the failed database, which stays."""
    counted: t.Mapping[str, int] | None = None
    dropped: tuple[str, ...] = ()
    """Objects that the backup does not know and that are gone, as `TABLE public.new_one`."""
    expected: t.Mapping[str, int] | None = None
    """The rows of the tables that are restored; None for all of the backup's."""
    left_out: tuple[str, ...] = ()
    """Parts of the backup that were not restored, a few words each."""
    rights: RightsCheck = RightsCheck()
