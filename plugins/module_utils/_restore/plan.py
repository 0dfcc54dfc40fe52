# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which backup is restored, and whether it may be. Pure."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._backup.plan import Backup, newest_first, parse_program_version
from .._errors import ConflictError, InputError, RefusedError, VerificationError
from .._formats import listed
from .models import RestoreRequest, ServerDatabase, ServerStatus, derived_name

_SHOWN = 20
_NEWEST = 5
# The version that brought it, to pg_restore and to the server.
_TRANSACTION_TIMEOUT = 17


def choose_backup(
    backups: t.Iterable[Backup],
    *,
    name: str | None,
    release: str | None,
    key: str | None,
    where: str,
) -> Backup:
    """The backup of that key, or the newest of that name and release."""
    there = list(newest_first(backups))
    for backup in there:
        manifest = backup.manifest
        if (manifest.key == key) if key else (manifest.name, manifest.release) == (name, release):
            return backup
    wanted = f"with the key {key!r}" if key else f"of {name!r} for release {release!r}"
    raise InputError(f"There is no valid backup {wanted} under {where}. {newest_in_words(there)}")


def newest_in_words(backups: t.Iterable[Backup]) -> str:
    """A sentence with the keys of the newest ones."""
    newest = newest_first(backups)[:_NEWEST]
    keys = ", ".join(f"{each.manifest.key} (of {each.manifest.release})" for each in newest)
    return f"The newest are {keys}." if keys else "There is none at all."


def default_request(key: str, approved_by: str, reason: str) -> str:
    """The same words about the same backup are the same request."""
    return hashlib.sha256("\0".join((key, approved_by, reason)).encode()).hexdigest()[:12]


def is_derived(name: str, database: str, word: str) -> bool:
    """Whether `derived_name` could have made it."""
    stamp = re.search(r"\d{8}_\d{6}$", name)
    return stamp is not None and name == derived_name(database, word, stamp[0])


@dataclass(frozen=True)
class RestorePlan:
    """What a restore has to do."""

    done: ServerDatabase | None
    """The database that shows that this very request was carried out before; None when there is all to do."""
    leftovers: tuple[ServerDatabase, ...]
    """Copies and unfinished databases of runs that died; they go first."""
    reopen: bool
    """Whether a run that died has left the live database closed."""

    @property
    def changed(self) -> bool:
        return self.done is None or bool(self.leftovers) or self.reopen


def plan_restore(order: RestoreRequest, standing: ServerStatus) -> RestorePlan:
    """Raises when it may not or cannot be."""
    if order.method == "scratch":
        return _plan_scratch(order, standing)
    live = standing.get(order.database)
    if live is None:
        raise InputError(
            f"There is no {order.target.where} to restore. If a restore died between its steps, "
            f"look for {derived_name(order.database, 'failed', 'YYYYMMDD_HHMMSS')!r}."
        )
    leftovers = tuple(
        database for database in standing.databases if _is_leftover(database, order.database)
    )
    reopen = not live.open
    if reopen and not any(database.mark and database.mark.closed for database in leftovers):
        raise ConflictError(
            f"{order.target.where} is closed to new connections, but not by our restore: find "
            "out who closed it, then open it with ALTER DATABASE … ALLOW_CONNECTIONS true."
        )
    done = _find_done(order, standing, live)
    if done is None:
        refuse_backup(order, standing)
        refuse_rights(order, standing)
    return RestorePlan(done, leftovers, reopen)


def _plan_scratch(order: RestoreRequest, standing: ServerStatus) -> RestorePlan:
    database = find_scratch(standing, order.database)
    mark = database.mark if database else None
    if mark and mark.whole and mark.request == order.request:
        return RestorePlan(database, (), reopen=False)
    refuse_backup(order, standing)
    refuse_rights(order, standing)
    return RestorePlan(None, (database,) if database else (), reopen=False)


def find_scratch(standing: ServerStatus, name: str) -> ServerDatabase | None:
    """The scratch database; None without it. Refuses a database that no restore created."""
    database = standing.get(name)
    mark = database.mark if database else None
    if database and not database.newborn and not (mark and mark.kind == "scratch"):
        raise ConflictError(
            f"Database {name!r} is there and is not a scratch database of ours: it is neither overwritten nor dropped. "
            "Set another 'login_db'."
        )
    return database


def _is_leftover(database: ServerDatabase, name: str) -> bool:
    if database.newborn:
        return is_derived(database.name, name, "restore")
    mark = database.mark
    return mark is not None and mark.kind == "copy" and mark.database == name


def _find_done(
    order: RestoreRequest, standing: ServerStatus, live: ServerDatabase
) -> ServerDatabase | None:
    """The failed database that an earlier run renamed, or the database that it restored in place."""
    for database in standing.databases:
        mark = database.mark
        if mark is None or (mark.database, mark.request) != (order.database, order.request):
            continue
        if mark.kind == "failed" or (mark.kind == "in_place" and database is live):
            return database
    return None


def refuse_backup(order: RestoreRequest, standing: ServerStatus) -> None:
    manifest = order.backup.manifest
    if order.method != "scratch" and manifest.database != order.database:
        raise InputError(
            f"{order.backup.uri} is a backup of database {manifest.database!r}, but {order.database!r} "
            "is to be restored: correct 'login_db', 'name' or 'key'."
        )
    if order.method == "swap":
        refuse_swap(order, superuser=standing.rights.superuser)
    written, wrote = (
        parse_program_version(f"version {version}")
        for version in (manifest.server_version, manifest.pg_dump_version)
    )
    if standing.version[0] < written[0]:
        raise InputError(
            f"{order.backup.uri} comes from a server of version {written[1]}, and "
            f"{order.target.host} runs {standing.version[1]}: use a server that is not older."
        )
    if order.pg_restore.major < wrote[0]:
        raise InputError(
            f"pg_restore {order.pg_restore.version} cannot read what pg_dump {wrote[1]} wrote: "
            "set option 'pg_restore' to a newer one."
        )
    if standing.version[0] < _TRANSACTION_TIMEOUT <= order.pg_restore.major:
        raise InputError(
            f"pg_restore {order.pg_restore.version} sets transaction_timeout, which a server of version "
            f"{standing.version[1]} does not know: set option 'pg_restore' to version "
            f"{_TRANSACTION_TIMEOUT - 1} or {standing.version[0]} in option 'pg_restore'."
        )
    if order.method == "in_place" and order.psql.major < order.pg_restore.major:
        raise InputError(
            f"psql {order.psql.version} cannot run what pg_restore {order.pg_restore.version} "
            "writes: set option 'psql' to the one that came with it."
        )


def refuse_swap(order: RestoreRequest, *, superuser: bool) -> None:
    """A twin would lack what belongs to others."""
    manifest = order.backup.manifest
    if manifest.left_out or (manifest.schemas_of_others and not superuser):
        raise RefusedError(
            f"{order.backup.uri} comes from a database with schemas of other roles ("
            f"{', '.join(manifest.schemas_of_others)}), which a copy by {order.target.user!r} "
            "would lack: "
            "restore with method 'in_place'. Nothing was touched."
        )


def refuse_rights(order: RestoreRequest, standing: ServerStatus) -> None:
    rights, user = standing.rights, order.target.user
    if standing.read_only:
        raise RefusedError(
            f"The server at {order.target.host}:{order.target.port} is {standing.read_only}. Nothing was touched."
        )
    if rights.superuser:
        return
    if order.method != "scratch" and not rights.owns:
        live = standing.get(order.database)
        raise RefusedError(
            f"User {user!r} does not own {order.target.where}, its owner is "
            f"{live.owner if live else 'unknown'!r}: connect as that role or a member of it."
        )
    if order.method != "in_place" and not rights.create_databases:
        raise RefusedError(
            f"User {user!r} may not create databases at {order.target.host}: grant CREATEDB, connect as "
            "another role, or restore with method 'in_place'."
        )


def refuse_other_rows(
    expected: t.Mapping[str, int], counted: t.Mapping[str, int], where: str
) -> None:
    """Every table of the backup must have exactly the rows that were counted when it was taken."""
    wrong = [
        {"table": table, "backup": rows, "restored": counted.get(table)}
        for table, rows in sorted(expected.items())
        if counted.get(table) != rows
    ]
    if not wrong:
        return
    differences = [
        f"{row['table']} has {'no such table' if row['restored'] is None else row['restored']} "
        f"instead of {row['backup']}"
        for row in wrong
    ]
    raise VerificationError(
        f"The rows restored into {where} differ from the backup: {listed(differences, _SHOWN, '; ')}.",
        differences=wrong,
    )
