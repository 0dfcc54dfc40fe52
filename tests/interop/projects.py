"""A folder of migrations and two databases for it: one that the Supabase CLI migrates, one that we do."""

import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ansible_collections.easymo.deploy.plugins.modules import migrations
from tests.integration.running import query
from tests.interop.toolchain import Tool
from tests.module_runner import run_module

Options = dict[str, t.Any]
Row = tuple[str, str | None, list[str] | None]

_HAS_HISTORY = "SELECT to_regclass('supabase_migrations.schema_migrations') IS NOT NULL"
_HISTORY = (
    "SELECT version, name, statements FROM supabase_migrations.schema_migrations ORDER BY version"
)
_OBJECTS = """
SELECT n.nspname, c.relname, c.relkind::text, COALESCE(string_agg(a.attname || ' ' || a.atttypid::regtype, ', '
    ORDER BY a.attnum), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE n.nspname !~ '^pg_|^information_schema$'
GROUP BY 1, 2, 3
UNION ALL
SELECT n.nspname, p.proname, 'function', pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_|^information_schema$'
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Project:
    """`workspace` is what the CLI calls its working directory; the migrations are in supabase/migrations of it."""

    workspace: Path
    cli: Tool
    home: Path

    @property
    def folder(self) -> Path:
        return self.workspace / "supabase" / "migrations"

    def write(self, files: t.Mapping[str, str | bytes]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            raw = content if isinstance(content, bytes) else content.encode()
            (self.folder / name).write_bytes(raw)

    def push(self, database: Options, *more: str) -> Options:
        """What `supabase db push` says in JSON; its exit code as `rc`."""
        return self.supabase(database, "db", "push", "--yes", *more)

    def supabase(self, database: Options, *words: str) -> Options:
        tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(database["ca_cert"])}
        words = (*words, f"--remote={url(database)}")
        return self.cli.supabase(self.workspace, self.home, *words, **tls)

    def migrate(self, database: Options, **options: t.Any) -> Options:
        """What our module returns."""
        return run_module(
            migrations,
            kind="supabase",
            directory=str(self.folder),
            **{**database, "additive_only": False, **options},
        )


def url(database: Options) -> str:
    user, password = (quote(database[f"login_{part}"], safe="") for part in ("user", "password"))
    return (
        f"postgresql://{user}:{password}@{database['login_host']}:{database['login_port']}"
        f"/{database['login_db']}?sslmode=verify-full&sslrootcert={quote(str(database['ca_cert']))}"
    )


def history(database: Options) -> list[Row]:
    """Every row, whole."""
    if not query(database, _HAS_HISTORY)[0][0]:
        return []
    return query(database, _HISTORY)


def objects(database: Options) -> list[tuple[t.Any, ...]]:
    """Relations with their columns, and functions: what migrations made."""
    return query(database, _OBJECTS)
