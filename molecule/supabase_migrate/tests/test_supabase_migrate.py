"""The release's tables are there, empty, and its migrations are recorded where the Supabase CLI looks."""

from pathlib import Path

import pytest

DATABASE = "molecule_supabase"
MIGRATIONS = Path(__file__).parents[3] / "sandbox/checkout/v2.0.0/supabase/migrations"
HISTORY = "SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY version"


@pytest.mark.parametrize(
    "table", ["agent_sessions", "agent_requests", "agent_metrics", "agent_fallbacks"]
)
def test_the_table_is_there_and_empty(witness, table):
    assert witness.psql(DATABASE, f"SELECT count(*) FROM public.{table}") == ["0"]


def test_each_migration_is_recorded_once(witness):
    files = sorted(path.stem.replace("_", "|", 1) for path in MIGRATIONS.glob("*.sql"))
    assert witness.psql(DATABASE, HISTORY) == files


def test_nothing_but_the_clis_three_columns_is_in_the_history(witness):
    columns = (
        "SELECT attname, atttypid::regtype FROM pg_attribute WHERE attnum > 0 "
        "AND attrelid = 'supabase_migrations.schema_migrations'::regclass ORDER BY attnum"
    )
    assert witness.psql(DATABASE, columns) == ["version|text", "statements|text[]", "name|text"]
