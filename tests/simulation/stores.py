"""What a release writes beside the cluster: the databases and what is to be migrated in them."""

from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.errors

from .bucket import Bucket
from .databases import Databases
from .programs import Programs
from .world import World

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = ("1", "2", "3", "4")
"""Each migration counts its own beginning and end in `effects.applied`, but for the third, which builds an index."""
INDEXED = "3"
QUERY = "SELECT count(*) FROM effects.applied"
COUNTED = "6"
"""What it finds when all are applied."""
REHEARSAL = "rehearsal_"
"""Before the name of a database, that of the copy in which its migrations are rehearsed."""


@dataclass(frozen=True)
class Kind:
    """Of migrations: where they lie, and where a database has those that it knows as applied."""

    name: str
    ledger: str

    @property
    def folder(self) -> str:
        return str(MIGRATIONS / self.name)


KINDS = {
    one.name: one
    for one in (
        Kind("sql", "SELECT version FROM public.flyway_schema_history WHERE success"),
        Kind(
            "supabase",
            "SELECT right(version, 1) FROM supabase_migrations.schema_migrations",
        ),
        Kind(
            "prisma",
            "SELECT substr(migration_name, 14, 1) FROM public._prisma_migrations WHERE finished_at IS NOT NULL",
        ),
    )
}


class Stores:
    def __init__(self, world: World) -> None:
        self.databases = Databases(world)
        self.programs = Programs(world, self.databases)
        self.bucket = Bucket(world.now)
        self.kinds = {name: KINDS[kind] for name, kind in world.plan.stores.items()}

    def applied(self, database: str) -> set[str]:
        """What its history has, as somebody sees it who looks by himself."""
        try:
            with self.databases.eye(database).cursor() as cursor:
                cursor.execute(self.kinds[database].ledger)
                return {row[0] for row in cursor.fetchall()}
        except (
            psycopg2.errors.UndefinedTable,
            psycopg2.errors.InvalidSchemaName,
            psycopg2.OperationalError,  # closed by a restore
        ):
            return set()

    def pending(self, database: str) -> set[str]:
        return {*VERSIONS} - self.applied(database)

    def close(self) -> None:
        self.databases.close()
