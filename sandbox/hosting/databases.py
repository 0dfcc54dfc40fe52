# SPDX-License-Identifier: GPL-3.0-or-later
"""A team's databases, each with its owner, its schema as before the release, and rows."""

from __future__ import annotations

import contextlib
import re
import typing as t
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from sandbox.errors import SandboxError
from sandbox.names import SUPABASE_ADMIN, SUPABASE_USER
from sandbox.postgres import database_url
from sandbox.seed.history import (
    apply_prisma,
    apply_supabase,
    read_prisma_migrations,
    read_supabase_migrations,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from psycopg2.extensions import cursor

    from sandbox.hosting.inventory import Inventory
    from sandbox.world import Facts, World

OURS = (SUPABASE_ADMIN, SUPABASE_USER)


@dataclass(frozen=True)
class TeamDatabase:
    """One host of the group `databases`."""

    host: str
    login: t.Mapping[str, str]
    baseline: str
    """The version of plain SQL that it is at, where its history does not tell."""

    def variables(self, postgres: Facts) -> dict[str, t.Any]:
        at = {name: postgres[name] for name in ("host", "port", "ca_cert")}
        names = {**at, **self.login}
        made = {f"database_{name}": value for name, value in names.items()}
        return {**made, **({"sql_migrate_baseline": self.baseline} if self.baseline else {})}


def prepare(world: World, inventory: Inventory, host: str) -> TeamDatabase:
    """Safe to repeat: a database that is there stays as it is."""
    postgres = world.facts("postgres")
    name = str(inventory.value("database_name", host, host=host))
    wanted = str(inventory.value("database_user", name, host=host))
    user = f"{name}_owner" if wanted in OURS else wanted
    login = {"name": name, "user": user, "password": world.secret(f"postgres-{user}")}
    kind = str(inventory.value("migration_rehearsal_kind", "sql", host=host))
    folder = inventory.path(f"release_{kind}_migrations", host=host)
    if kind not in MIGRATE:
        raise SandboxError(
            f"migration_rehearsal_kind of {host} is {kind!r}: choose from {', '.join(MIGRATE)}."
        )
    migrated_to = inventory.value("sandbox_migrated_to", host=host)
    baseline = inventory.value("sql_migrate_baseline", host=host) if kind == "sql" else None
    fill = [_sql_file(inventory, file) for file in inventory.value("sandbox_sql", [], host=host)]
    target = str(migrated_to or baseline or "")
    if _made(postgres, login):
        with (
            contextlib.closing(psycopg2.connect(database_url(postgres, login))) as connection,
            connection,
            connection.cursor() as handle,
        ):
            if folder:
                MIGRATE[kind](handle, folder, target)
            for file in fill:
                handle.execute(file.read_text(encoding="utf-8"))
    with world.changing() as state:
        state["components"]["postgres"]["databases"][name] = login
    applied = _applied(folder, target) if folder and kind == "sql" and not baseline else []
    return TeamDatabase(host, login, _version_of(applied[-1]) if applied else "")


def _sql_file(inventory: Inventory, name: str) -> Path:
    path = inventory.located(name)
    if path is None:
        raise SandboxError(f"sandbox_sql names {name}, which is not there: correct the path.")
    return path


def _made(postgres: Facts, login: t.Mapping[str, str]) -> bool:
    """Whether it was not there yet."""
    administrator = {**postgres["administrator"], "name": "postgres"}
    user, name = sql.Identifier(login["user"]), sql.Identifier(login["name"])
    with contextlib.closing(psycopg2.connect(database_url(postgres, administrator))) as connection:
        connection.autocommit = True
        with connection.cursor() as handle:
            handle.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login["user"]])
            if not handle.fetchone():
                statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD %s").format(user)
                handle.execute(statement, [login["password"]])
            handle.execute("SELECT 1 FROM pg_database WHERE datname = %s", [login["name"]])
            if handle.fetchone():
                return False
            handle.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, user))
    return True


def _part[T](migrations: t.Sequence[T], name: t.Callable[[T], str], target: str) -> list[T]:
    """Those up to the target, or all but the newest, which the release brings."""
    if not target:
        return [*migrations[:-1]]
    at = next((at for at, entry in enumerate(migrations) if name(entry) == target), None)
    if at is None:
        raise SandboxError(f"There is no migration {target}: correct sandbox_migrated_to.")
    return [*migrations[: at + 1]]


def _version_of(path: Path) -> str:
    return path.name.removeprefix("V").partition("__")[0]


def _order(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", _version_of(path))]


def _applied(folder: Path, target: str) -> list[Path]:
    return _part(sorted(folder.glob("V*__*.sql"), key=_order), _version_of, target)


def _plain(handle: cursor, folder: Path, target: str) -> None:
    """Without a history, as before a team began with Flyway or with this."""
    for file in _applied(folder, target):
        handle.execute(file.read_text(encoding="utf-8"))


def _prisma(handle: cursor, folder: Path, target: str) -> None:
    migrations = read_prisma_migrations(folder)
    apply_prisma(handle, _part(migrations, lambda entry: entry.name, target))


def _supabase(handle: cursor, folder: Path, target: str) -> None:
    migrations = read_supabase_migrations(folder)
    apply_supabase(handle, _part(migrations, lambda entry: entry.version, target))


MIGRATE: t.Mapping[str, t.Callable[[cursor, Path, str], None]] = {
    "sql": _plain,
    "prisma": _prisma,
    "supabase": _supabase,
}
