"""The release's table is there and its migrations are recorded as Prisma itself records them."""

import hashlib
import typing as t
from pathlib import Path

DATABASE = "test_role_agent_core"
MIGRATIONS = Path(__file__).parents[4] / "sandbox/checkout/v2.0.0/packages/db/prisma/migrations"
HISTORY = """
SELECT migration_name, checksum FROM _prisma_migrations
WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name
"""


def test_the_table_is_there_and_belongs_to_the_application(witness: t.Any) -> None:
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'agent_preferences'"
    assert witness.psql(DATABASE, owner) == ["easymo_admin"]


def test_each_migration_is_recorded_once_with_its_checksum(witness: t.Any) -> None:
    files = [
        f"{path.parent.name}|{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(MIGRATIONS.glob("*/migration.sql"))
    ]
    assert witness.psql(DATABASE, HISTORY) == files
