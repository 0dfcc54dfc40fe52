"""A folder of migrations of any kind, and a database for it."""

import typing as t
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import migrations
from tests.integration.running import query
from tests.module_runner import run_module


class MigrationFolder:
    """A folder of migrations and an empty database."""

    kind: str

    def __init__(self, folder: Path, database: dict[str, t.Any]) -> None:
        self.folder = folder
        self.database = database

    def run(self, **options: t.Any) -> dict[str, t.Any]:
        given = {"kind": self.kind, "directory": str(self.folder), **options}
        return run_module(migrations, **{**self.database, **given})

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        return query(self.database, sql)

    def has(self, table: str) -> bool:
        return bool(self.query(f"SELECT to_regclass('{table}') IS NOT NULL")[0][0])


class Migrations(MigrationFolder):
    """Of a kind that is told, file by file."""

    def __init__(self, kind: str, folder: Path, database: dict[str, t.Any]) -> None:
        super().__init__(folder, database)
        self.kind = kind

    def file(self, name: str) -> str:
        """The name results have for it."""
        return f"{name}/migration.sql" if self.kind != "supabase" else f"{name}.sql"

    def write(self, name: str, sql: str) -> str:
        file = self.file(name)
        (self.folder / file).parent.mkdir(exist_ok=True)
        (self.folder / file).write_text(sql)
        return file
