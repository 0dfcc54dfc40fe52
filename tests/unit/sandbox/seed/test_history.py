"""The seed writes the histories that the real tools would have written."""

import hashlib
import typing as t
import uuid
from pathlib import Path

import pytest

from sandbox.application import PRISMA_MIGRATIONS, SUPABASE_MIGRATIONS, checkout
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from sandbox.seed.history import read_prisma_migrations, read_supabase_migrations, split_statements


@pytest.fixture
def previous() -> t.Iterator[Path]:
    with checkout(PREVIOUS_VERSION) as folder:
        yield folder


@pytest.fixture
def release() -> t.Iterator[Path]:
    with checkout(RELEASE_VERSION) as folder:
        yield folder


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        pytest.param("a;\nb ;\n", ("a", "b"), id="semicolons-and-blanks-go"),
        pytest.param("select ';' , 'it''s;'; b", ("select ';' , 'it''s;'", "b"), id="strings"),
        pytest.param('alter ";" x; b', ('alter ";" x', "b"), id="identifiers"),
        pytest.param("do $$ a; $x$ $$; b", ("do $$ a; $x$ $$", "b"), id="dollar-quotes"),
        pytest.param("f $fn$ a; $$ ; $fn$; b", ("f $fn$ a; $$ ; $fn$", "b"), id="tagged"),
        pytest.param("-- one; two\na; b", ("-- one; two\na", "b"), id="line-comment-stays"),
        pytest.param("a; /* x; */ b", ("a", "/* x; */ b"), id="block-comment-stays"),
        pytest.param("a;\n-- the end\n", ("a", "-- the end"), id="a-last-comment-is-recorded"),
        pytest.param(" ;; ", (), id="nothing"),
    ],
)
def test_statements_are_cut_where_the_cli_cuts(script, statements):
    assert split_statements(script) == statements


def test_a_release_only_adds_supabase_migrations(previous, release):
    before = read_supabase_migrations(previous / SUPABASE_MIGRATIONS)
    after = read_supabase_migrations(release / SUPABASE_MIGRATIONS)

    assert after[: len(before)] == before
    assert [migration.name for migration in after[len(before) :]] == [
        "agent_sessions",
        "agent_requests",
        "agent_metrics",
        "agent_fallbacks",
    ]


def test_a_release_only_adds_prisma_migrations(previous, release):
    before = read_prisma_migrations(previous / PRISMA_MIGRATIONS)
    after = read_prisma_migrations(release / PRISMA_MIGRATIONS)

    assert after[: len(before)] == before
    assert len(after) > len(before) > 0


def test_prismas_rows_have_the_files_checksum_and_a_random_looking_id(previous):
    migration = read_prisma_migrations(previous / PRISMA_MIGRATIONS)[0]
    path = previous / PRISMA_MIGRATIONS / migration.name / "migration.sql"

    assert migration.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    assert uuid.UUID(migration.row_id).version == 4
