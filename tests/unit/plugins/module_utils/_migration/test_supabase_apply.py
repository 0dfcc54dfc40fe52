import contextlib

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.execution import (
    excerpt,
    mask_message,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.models import Migration
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import (
    LockRetries,
    SessionTimeouts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import failing_line
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import (
    FileRun,
    SupabaseFiles,
)
from tests.fakes.session import MemorySession, NoWatch
from tests.tables import cases


def migration(content: str) -> Migration:
    return Migration("1", "x", "1_x.sql", content.encode())


def run(session: MemorySession, content: str, role: str | None = None) -> None:
    retries = LockRetries(0, NoWatch(), lambda *_event: None)
    limits = SessionTimeouts(lock_timeout=5, statement_timeout=0)
    row = SupabaseFiles("").history_row
    FileRun(session, migration(content), limits, retries, row, role).apply()


def apply(content: str, *, refuse: str | None = None, role: str | None = None) -> MemorySession:
    session = MemorySession(refuse)
    with pytest.raises(RefusedError) if refuse else contextlib.nullcontext():
        run(session, content, role)
    return session


INDEX = "create index concurrently i on a (b)"


@cases(
    ("content", "refuse", "stays"),
    {
        "together with its row": ("a; b", None, ["a", "b", "history"]),
        "comments are not sent": ("a;\n-- the end", None, ["a", "history"]),
        "nothing of an atomic file": ("a; nope", "nope", []),
        "up to a statement alone": (f"a; {INDEX}; nope", "nope", ["a", INDEX]),
        "its own transactions": ("begin; a; commit; begin; b; nope; commit", "nope", ["a"]),
    },
)
def test_what_is_committed_stays(content, refuse, stays):
    assert apply(content, refuse=refuse).done == stays


def test_a_file_is_sent_in_two_messages(monkeypatch):
    """Between them its locks are looked at, from another session."""
    sent = []
    execute = MemorySession.execute
    monkeypatch.setattr(
        MemorySession, "execute", lambda self, *sql: [sent.append(sql), execute(self, *sql)]
    )
    apply("create table a ();\n-- why\nalter table a add b int; insert into a values (1)")
    assert len(sent) == 2


def test_a_transaction_left_open_is_refused():
    with pytest.raises(RefusedError, match="never commits"):
        run(session := MemorySession(), "begin; a")
    assert session.done == []


def test_the_role_is_taken_again_after_a_statement_that_resets_it():
    assert apply("a", role="postgres").role_changes == 2
    assert apply("reset role; a", role="postgres").role_changes == 3


def test_the_error_names_file_statement_line_and_code_and_hides_values():
    session = MemorySession(refuse="nope")
    with pytest.raises(RefusedError) as caught:
        run(session, "a;\n\n-- why\ninsert into nope values ('secret');")
    error = caught.value
    assert error.details == {
        "reason": "MigrationFailed",
        "file": "1_x.sql",
        "sqlstate": "42P01",
        "atomic": True,
        "statement": 2,
        "line": 4,
    }
    assert "secret" not in str(error)
    assert "insert into nope values ('…')" in str(error)


def test_the_line_is_the_one_postgresql_points_at():
    statement = migration("a;\nselect\n  nope").script.statements[1]
    assert failing_line(statement, 10) == 3


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("-- c\nselect 'a', $x$ b\n $x$, E'c\\'d'", "select '…', '…', '…'"),
        ("select 'a\\', 'secret', e'\\'secret'", "select '…', '…', '…'"),
        ("alter role x password 'secret", "alter role x password '…'"),
        ("select\n1", "select"),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_an_excerpt_is_one_short_line_without_literals(sql, shown):
    assert excerpt(sql) == shown


def test_messages_about_values_hide_them():
    said = 'invalid input syntax for type integer: "secret"'
    assert mask_message(said, "22P02") == 'invalid input syntax for type integer: "…"'
    assert mask_message('relation "a" does not exist', "42P01") == 'relation "a" does not exist'
