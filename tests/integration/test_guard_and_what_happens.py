"""Migrations by chance run on filled tables: what the guard says of each is held against what it did."""

import os
import typing as t
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from sandbox.postgres.component import unpack
from tests.caches import SANDBOX_CACHE
from tests.integration.guard_figures import Figures, catalog_of, opened
from tests.integration.random_migrations import SHOP, RandomMigrations
from tests.integration.random_schema import RandomSchema
from tests.integration.random_script import quoted
from tests.integration.round_trip import SETTINGS
from tests.integration.throwaway_server import ThrowawayServer
from tests.integration.what_happened import Witness

LONG = 0.05
"""Seconds, far below what a user notices: of the larger tables they are a scan of all rows."""
MANY = 200_000
FILES = int(os.environ.get("EASYMO_ORACLE_FILES", "120"))
MOST_IDLE = 0.05
_SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 8))]
# A publication refuses updates of tables without a key; the others are the server's.
_LEFT_OUT = ("CREATE PUBLICATION", "CREATE SUBSCRIPTION", "CREATE EVENT TRIGGER")
STEPS = Path(__file__).parent / "steps"
ROWS = {
    "django": """
INSERT INTO shop_buyer (name, phone, score) SELECT 'n' || g, g, g FROM generate_series(1, 30) g;
INSERT INTO shop_order (buyer_id, note, at) SELECT g, 'o' || g, date '2026-01-01' + g FROM generate_series(1, 30) g;
""",
    "prisma": """
INSERT INTO "Buyer" (name, phone, score) SELECT 'n' || g, g, g FROM generate_series(1, 30) g;
INSERT INTO "Order" ("buyerId", note, at) SELECT g, 'o' || g, date '2026-01-01' + g FROM generate_series(1, 30) g;
""",
}
_OF_RAILS = """
INSERT INTO "buyers" (name, phone, score) SELECT 'n' || g, nullif(g, 7), g FROM generate_series(1, 30) g;
INSERT INTO "orders" (buyer_id, note, at) SELECT g, 'o' || g, date '2026-01-01' + g FROM generate_series(1, 30) g;
"""
ROWS |= {"rails": _OF_RAILS, "ecto": _OF_RAILS.replace("nullif(g, 7)", "g")}
LARGE = f"""
SET session_replication_role = replica;
INSERT INTO shop.buyers (id, name, phone, mood) SELECT g, 'n' || g, g, 'good' FROM generate_series(1000, {MANY}) g;
INSERT INTO shop.orders (buyer_id, total, note) SELECT 1 + g % 40, g, 'o' || g FROM generate_series(1, {MANY}) g;
INSERT INTO shop.visits (page, on_day, seconds) SELECT '/' || g, date '2026-01-01' + g % 900, 7
FROM generate_series(1, {MANY}) g;
INSERT INTO shop.audit (what) SELECT 'a' || g FROM generate_series(1, {MANY}) g;
RESET session_replication_role; ANALYZE;
"""
# Each with what takes it back.
CONCURRENT = {
    "CREATE INDEX CONCURRENTLY made ON shop.orders (total)": "DROP INDEX shop.made",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS made ON shop.orders (id, (total + 1))": "DROP INDEX shop.made",
    "CREATE INDEX CONCURRENTLY made ON shop.visits (lower(page)) WHERE seconds > 3": "DROP INDEX shop.made",
    "REINDEX INDEX CONCURRENTLY shop.orders_note": "SELECT 1",
    "DROP INDEX CONCURRENTLY shop.orders_note": "CREATE INDEX orders_note ON shop.orders (lower(note))",
}  # fmt: skip
LATER = {
    "django": """
INSERT INTO shop_tag (id, word) VALUES (7, 'x') ON CONFLICT DO NOTHING;
INSERT INTO shop_order_tags (order_id, tag_id) SELECT id, 7 FROM shop_order ON CONFLICT DO NOTHING;
"""
}


def _hold(figures: Figures, what: str) -> None:
    print("\n".join([f"{what}: {figures}", *figures.missed, *figures.idle]))
    assert not figures.missed, "\n".join([str(figures), *figures.missed])
    idle = "\n".join([str(figures), *figures.idle])
    assert len(figures.idle) <= MOST_IDLE * figures.flagged, idle
    assert figures.idle_files <= MOST_IDLE * figures.flagged_files, idle


@pytest.fixture(scope="module")
def server() -> t.Iterator[ThrowawayServer]:
    server = ThrowawayServer(unpack(SANDBOX_CACHE), *SETTINGS)
    server.query("CREATE ROLE clerk; CREATE ROLE guest")
    yield server
    server.stop()


@pytest.mark.parametrize("seed", _SEEDS)
def test_what_is_called_additive_takes_nothing_away(server, seed):
    database = f"oracle_{seed}"
    _fill(server, database, seed)
    catalog = catalog_of(server, database)
    with opened(server, database) as rows:
        migrations = RandomMigrations(seed, rows)
    witness, figures = Witness(server.port, database), Figures()
    for _n in range(FILES):
        statements = [each.text for each in split_script(";\n".join(migrations.write())).statements]
        figures.count(statements, witness.watch(statements), catalog)
    _hold(figures, f"seed {seed}")


@pytest.fixture(scope="module")
def large(server) -> str:
    """A database in which a scan takes time."""
    server.query("CREATE DATABASE large TEMPLATE template0")
    with opened(server, "large") as rows:
        rows.execute(SHOP)
        rows.execute(LARGE)
    return "large"


@pytest.mark.parametrize("seed", _SEEDS)
def test_who_stops_writers_for_long_is_told(server, large, seed):
    catalog, witness = catalog_of(server, large), Witness(server.port, large)
    with opened(server, large) as rows:
        migrations = RandomMigrations(seed, rows)
    told, untold, missed = 0.0, 0.0, []
    for _n in range(FILES // 4):
        source = split_script(";\n".join(migrations.write())).statements
        statements = [each.text for each in source]
        verdict = review([Source("m.sql", source)], catalog)
        known = {each.statement for each in [*verdict.findings, *verdict.warnings]}
        seconds = witness.time_locks(statements)
        # A machine that is busy may make a statement slow once.
        for _again in range(2):
            if any(each > LONG for n, each in enumerate(seconds, 1) if n not in known):
                seconds = [*map(min, seconds, witness.time_locks(statements))]
        for index, spent in enumerate(seconds, start=1):
            if index in known:
                told += spent
            else:
                untold += spent
                if spent > LONG:
                    missed.append(f"{spent:.2f} s: {statements[index - 1]}\n  of {statements}")
    print(
        f"seed {seed}: seconds without writers {told:.1f} told, {untold:.2f} not; {len(missed)} long"
    )
    assert told > 0
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("statement", CONCURRENT)
def test_what_is_done_concurrently_stops_nobody(server, large, statement):
    catalog, witness = catalog_of(server, large), Witness(server.port, large)
    spent, drops = [], statement.startswith("DROP")
    for one in (statement, statement, statement.replace(" CONCURRENTLY", "")):
        spent += witness.time_locks([one])
        if Witness.stays([one]):
            with opened(server, large) as rows:
                rows.execute(CONCURRENT[statement])
    verdict = review([Source("m.sql", split_script(statement).statements)], catalog)
    assert bool(verdict.findings) == drops, verdict.findings
    print(f"{min(spent[:2]):.3f} s, and {spent[-1]:.3f} s without CONCURRENTLY: {statement}")
    assert min(spent[:2]) < LONG
    if not drops:
        plain = split_script(statement.replace(" CONCURRENTLY", "")).statements
        # How long it is, the machine says: 0.04 s on a fast one.
        assert spent[-1] > 10 * min(spent[:2])
        assert review([Source("m.sql", plain)], catalog).findings


@pytest.mark.parametrize("tool", sorted(ROWS))
def test_so_it_is_with_what_other_tools_make(server, tool):
    """Prisma's and Django's are of `python -m tests.interop.steps`, Rails' and Ecto's as their adapters print."""
    server.query(f"CREATE DATABASE {tool} TEMPLATE template0")
    witness, figures = Witness(server.port, tool), Figures()
    _head, first, *steps = (STEPS / f"{tool}.sql").read_text().split("-- step\n")
    with opened(server, tool) as rows:
        rows.execute(first)
        rows.execute(ROWS[tool])
        for step in steps:
            statements = [each.text for each in split_script(step).statements]
            happened = witness.watch(statements)
            if statements:
                figures.count(statements, happened, catalog_of(server, tool, statements))
            if statements and not happened.error and not witness.stays(statements):
                rows.execute(step)
            # Once its tables are there.
            with suppress(psycopg2.Error):
                rows.execute(LATER.get(tool, ""))
    assert figures.files > 15
    _hold(figures, tool)


def test_nothing_nasty_passes(server):
    """Each alone, on the same tables."""
    server.query("CREATE DATABASE nasty TEMPLATE template0")
    witness, figures, failed = Witness(server.port, "nasty"), Figures(), list[str]()
    with opened(server, "nasty") as rows:
        rows.execute(SHOP)
    _head, *migrations = (STEPS / "nasty.sql").read_text().split("-- --\n")
    catalog = catalog_of(server, "nasty", migrations)
    for migration in migrations:
        statements = [each.text for each in split_script(migration).statements]
        happened = witness.watch(statements)
        failed += [f"{migration}: {happened.error}"] * bool(happened.error)
        figures.count(statements, happened, catalog)
    assert (failed, figures.files >= 150) == ([], True)
    print("\n".join([str(figures), *figures.idle]))
    assert not figures.missed, "\n".join(figures.missed)


def _fill(server: ThrowawayServer, database: str, seed: int) -> None:
    schema = RandomSchema(seed, 12)
    for role in schema.roles:
        server.query(f"CREATE ROLE {quoted(role)}")
    server.query(f"CREATE DATABASE {database} TEMPLATE template0")
    with opened(server, database) as rows:
        for statement in schema.sql:
            # What hangs on what was left out goes with it.
            with suppress(psycopg2.Error):
                if not statement.startswith(_LEFT_OUT):
                    rows.execute(statement)
        rows.execute(SHOP)
