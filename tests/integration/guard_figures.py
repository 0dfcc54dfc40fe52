"""What the guard says of migrations, held against what they did: `scripts/guard_figures FOLDER...`.

A folder is a series: its files are applied in their order, on tables that are filled before each of them, and what no
server here can run is left out. Fetch public series first, for none is kept here; `*.down.sql` is left out.
"""

import re
import sys
import typing as t
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    Catalog,
    names_called,
    read_catalog,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import migrating
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from sandbox.postgres.component import unpack
from sandbox.seed import PLATFORM, platform_sql
from tests.caches import SANDBOX_CACHE
from tests.integration.round_trip import SETTINGS
from tests.integration.throwaway_server import ThrowawayServer
from tests.integration.what_happened import Happened, Witness

_REPLACED = {"replacement-differs", "replacement-unclear", "replacement-grants", "trigger-switch"}
_OF_ROWS = {"rows-updated", "rows-deleted", "rows-merged", "rows-overwritten"}
"""Where nothing happened, the rows that it names are not among ours, as where a table that it reads has none."""


@dataclass
class Figures:
    """`missed` and `idle` have the text of each, to find out why."""

    statements: int = 0
    files: int = 0
    failed: int = 0
    flagged: int = 0
    flagged_files: int = 0
    missed: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    idle_files: int = 0
    open: int = 0
    open_files: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    def count(self, statements: t.Sequence[str], happened: Happened, catalog: Catalog) -> None:
        source = Source("m.sql", split_script("\n;\n".join(statements)).statements)
        verdict = review([source], catalog)
        ran = len(happened.effects)
        if happened.error:
            self.failed += 1
            return
        self.files += 1
        self.statements += ran
        flagged = {each.statement for each in verdict.findings}
        warned = {each.statement for each in verdict.warnings}
        assert len(source.statements) == ran, statements
        # What replaces otherwise is told where it is made again, not where the old one is dropped.
        open_here = False
        replaced = {each.rule for each in verdict.findings} & _REPLACED
        for index, text in enumerate(statements, start=1):
            effects = [each for each in happened.of(index - 1) if not (replaced and each.lasting)]
            if effects and index not in flagged | warned:
                self.missed.append(f"{text}\n  of {statements}: {effects}")
            rules = {each.rule for each in verdict.findings if each.statement == index}
            if rules and happened.idle[index - 1] and not (rules & _REPLACED and happened.lasts):
                if rules & _OF_ROWS or happened.empty[index - 1]:
                    self.open += 1
                    open_here = True
                else:
                    self.idle.append(f"{sorted(rules)} {text}\n  of {statements}")
        self.flagged += len(flagged)
        self.flagged_files += bool(flagged)
        self.open_files += open_here and all(happened.idle)
        self.idle_files += bool(flagged) and all(happened.idle) and not open_here
        self.rules.update(each.rule for each in verdict.findings)

    def add(self, other: "Figures") -> None:
        for name, mine in vars(self).items():
            setattr(self, name, mine + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"{self.files} files of {self.statements} statements ran, {self.failed} failed; missed {len(self.missed)}; "
            f"flagged {self.flagged} statements and {self.flagged_files} files, of which nothing happened in "
            f"{len(self.idle)} ({len(self.idle) / max(1, self.flagged):.1%}) and {self.idle_files} "
            f"({self.idle_files / max(1, self.flagged_files):.1%}), {self.open} and {self.open_files} reached no row"
        )


def catalog_of(server: ThrowawayServer, database: str, statements: t.Sequence[str] = ()) -> Catalog:
    """Without sizes: all tables are taken to be large."""
    absent = {"login_password": None, "ca_cert": None, "connect_timeout": 10}
    target = {**absent, **server.options, "login_db": database}
    with migrating(PostgresTarget.from_params(target)) as session:
        return read_catalog(session, called=names_called("\n".join(statements)))


@contextmanager
def opened(server: ThrowawayServer, database: str) -> t.Iterator[cursor]:
    where = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": database}
    with closing(psycopg2.connect(**where)) as session, session.cursor() as rows:
        session.autocommit = True
        yield rows


_EMPTY = """
SELECT format('%I.%I', n.nspname, c.relname), array_agg(quote_ident(a.attname) ORDER BY attnum),
  array_agg(format(CASE
    WHEN literal IS NOT NULL THEN '%2$L::%1$s' WHEN t.typtype = 'e' THEN '(enum_range(NULL::%1$s))[1]'
    WHEN t.typcategory = 'A' OR t.typname LIKE 'json%' THEN '''{}''::%1$s' WHEN t.typcategory = 'N' THEN 'g::%1$s'
    WHEN t.typcategory = 'B' THEN 'true' WHEN t.typcategory = 'D' THEN '(now() + g * interval ''1 day'')::%1$s'
    WHEN t.typname = 'uuid' THEN 'md5(g::text)::uuid' WHEN t.typcategory = 'S' THEN '(''x'' || g)::%1$s'
    WHEN t.typcategory = 'I' THEN '''10.0.0.1''::%1$s' WHEN t.typname = 'point' THEN 'point(g, g)'
    WHEN t.typname = 'interval' THEN 'g * interval ''1 s''' WHEN t.typname = 'bytea' THEN 'g::text::bytea'
    ELSE 'NULL::%1$s' END, format_type(a.atttypid, a.atttypmod), literal) ORDER BY attnum),
  array_agg(a.attnotnull AND NOT a.atthasdef ORDER BY attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid, LATERAL (
  SELECT min((regexp_match(pg_get_constraintdef(oid), '''([^'']*)'''))[1]) AS literal FROM pg_constraint
  WHERE conrelid = c.oid AND contype = 'c' AND conkey = ARRAY[a.attnum]) k
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
GROUP BY c.oid, n.nspname, c.relname
"""


def _fill(rows: cursor) -> None:
    """Rows by their numbers, the same in all tables, so that most references hold; of all columns, else of few."""
    rows.execute("SET session_replication_role = replica; SET statement_timeout = '20s'")
    rows.execute(_EMPTY)
    for table, names, values, needed in rows.fetchall():
        few = [n for n, must in enumerate(needed) if must] or [0]
        for chosen in (range(len(names)), few):
            columns, parts = (", ".join(of[n] for n in chosen) for of in (names, values))
            with suppress(psycopg2.Error):
                rows.execute(f"SELECT count(*) FROM (SELECT FROM {table} LIMIT 3)")
                if rows.fetchall()[0][0] < 3:
                    select = f"SELECT {parts} FROM generate_series(1, 3) g ON CONFLICT DO NOTHING"
                    rows.execute(f"INSERT INTO {table} ({columns}) {select}")
    rows.execute("RESET session_replication_role; RESET statement_timeout; RESET search_path")


def _runnable(rows: cursor, statements: t.Sequence[str]) -> list[str]:
    """Those that work in their order, tried and taken back."""
    if Witness.stays(statements):
        return list(statements)
    works = []
    rows.execute("BEGIN; SET LOCAL statement_timeout = '20s'")
    for statement in statements:
        rows.execute("SAVEPOINT here")
        try:
            rows.execute(statement)
            rows.execute("RELEASE here")
            works.append(statement)
        except psycopg2.Error:
            with suppress(psycopg2.Error):
                rows.execute("ROLLBACK TO here")
    rows.execute("ROLLBACK")
    return works


_CATALOGS = [
    f"pg_catalog.pg_{name}"
    for name in ("attribute", "class", "constraint", "depend", "index", "policy", "proc", "type")
]
_TRANSACTION = re.compile(r"(?i)(BEGIN|START|COMMIT|END|ROLLBACK)\b")


def of_series(folder: Path) -> Figures:
    figures = Figures()
    files = [each for each in folder.glob("*.sql") if not each.name.endswith(".down.sql")]
    files.sort(key=lambda each: (int((re.match(r"V?(\d+)", each.name) or [0, 0])[1]), each.name))
    texts = {each: each.read_text("utf-8", "replace") for each in files}
    server = ThrowawayServer(unpack(SANDBOX_CACHE), *SETTINGS)
    try:
        server.query("CREATE DATABASE series TEMPLATE template0")
        with opened(server, "series") as rows:
            _prepare(rows)
        for text in texts.values():
            written = [each.text for each in split_script(text).statements]
            with opened(server, "series") as rows:
                # What is taken back leaves dead rows, which nobody else takes away.
                rows.execute(f"VACUUM ANALYZE {', '.join(_CATALOGS)}")
                with suppress(psycopg2.Error):
                    _fill(rows)
                statements = [each for each in written if not _TRANSACTION.match(each)]
                statements = _runnable(rows, statements)
            if not statements:
                continue
            # What is done concurrently stays.
            catalog = catalog_of(server, "series", statements)
            figures.count(statements, Witness(server.port, "series").watch(statements), catalog)
            if not Witness.stays(statements):
                with opened(server, "series") as rows:
                    for statement in statements:
                        with suppress(psycopg2.Error):
                            rows.execute(statement)
    finally:
        server.stop()
    return figures


def _prepare(rows: cursor) -> None:
    """As a hosted project begins; other series do not look at it."""
    rows.execute("CREATE ROLE supabase_admin SUPERUSER")
    for name in PLATFORM[:-1]:
        sql = platform_sql(name).replace("create role postgres ", "alter role postgres ")
        rows.execute(sql.replace("database postgres", "database series"))
    rows.execute("ALTER ROLE postgres SUPERUSER; RESET ROLE")
    # The library of uuid-ossp is not everywhere.
    for schema in ("public", "extensions"):
        rows.execute(
            f"CREATE FUNCTION {schema}.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'"
        )


def main(folders: t.Sequence[str]) -> int:
    total = Figures()
    for folder in folders:
        figures = of_series(Path(folder))
        print("\n".join([*figures.missed, *figures.idle, f"{folder}: {figures}"]), flush=True)
        total.add(figures)
    print(f"all: {total}\n{dict(total.rules.most_common())}")
    return bool(total.missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
