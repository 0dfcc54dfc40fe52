import re

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.models import (
    Migration,
    MigrationPlan,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import (
    Applied,
    SupabaseFiles,
    duplicates,
)
from tests.tables import cases


def migration(version: str, content: str | bytes = "select 1", name: str = "x") -> Migration:
    raw = content if isinstance(content, bytes) else content.encode()
    return Migration(version, name, f"{version}_{name}.sql", raw)


def applied(version: str, *statements: str) -> Applied:
    return Applied(version=version, name="x", statements=statements or None)


def pending(history: list[str], local: list[str], *, include_all: bool = False) -> list[str]:
    engine = SupabaseFiles("", include_all=include_all)
    found = engine.pending_after([applied(v) for v in history], [migration(v) for v in local])
    return [each.version for each in found]


find_drift, problems_of = SupabaseFiles("").find_drift, SupabaseFiles("").problems_of


@pytest.mark.parametrize(
    ("history", "expected"), [([], ["1", "2"]), (["1"], ["2"]), (["1", "2"], [])]
)
def test_what_the_history_does_not_have_is_pending(history, expected):
    assert pending(history, ["1", "2"]) == expected


@cases(
    ("history", "local", "reason", "words"),
    {
        "the way out": (["1", "2", "3"], ["2"], "MissingLocally", "reverted 1 3'"),
        "missing is told first": (["1", "3"], ["2", "3"], "MissingLocally", "reverted 1'"),
        "an older file": (["1", "3"], ["1", "2", "3"], "OutOfOrder", r"2_x\.sql"),
        "versions compare as text": (["9"], ["9", "10"], "OutOfOrder", r"10_x\.sql"),
    },
)
def test_a_history_that_the_files_do_not_continue_is_refused(history, local, reason, words):
    with pytest.raises(ConflictError, match=words) as caught:
        pending(history, local)
    assert caught.value.reason == reason


def test_an_older_file_runs_first_when_all_are_included():
    assert pending(["1", "3"], ["1", "2", "3", "4"], include_all=True) == ["2", "4"]


def test_an_edited_file_is_drift_and_the_statement_is_named_without_its_values():
    drift = find_drift(
        [applied("1", "select 1", "select 'old'")], [migration("1", "select 1; select 'secret'")]
    )
    assert drift["1_x.sql"] == "statement 2 was select '…' and differs further on"
    assert "secret" not in str(drift)


@pytest.mark.parametrize(
    ("now", "how"), [("a; b; c", "statement 3 is new: c"), ("a", "statement 2 is gone: b")]
)
def test_statements_added_and_taken_away_are_drift(now, how):
    assert find_drift([applied("1", "a", "b")], [migration("1", now)])["1_x.sql"] == how


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("alter role a password 'x''y'", "alter role a password '…'"),
        ("create user a with encrypted password E'x\\'y' login", "create user a with encrypted password '…' login"),
        ("select vault.create_secret('x', 'name')", "select vault.create_secret('…', 'name')"),
        ("set app.api_key = 'x'", "set app.api_key = '…'"),
        ("alter database d set app.jwt_secret TO $$x$$", "alter database d set app.jwt_secret TO '…'"),
        ("insert into t values ('plain')", "insert into t values ('plain')"),
    ],
)  # fmt: skip
def test_the_diff_shows_sql_but_no_passwords(sql, shown):
    diff = MigrationPlan((migration("1", sql),), []).to_diff()
    assert diff["after"] == f"-- 1_x.sql\n{shown}\n"


def test_space_is_no_drift_and_neither_is_a_history_without_statements():
    local = [migration("1", "select\n  1;\n"), migration("2")]
    assert not find_drift([applied("1", "select 1"), applied("2")], local)


def test_files_are_chosen_and_ordered_as_the_cli_does(tmp_path):
    for name in ("20_b.sql", "100_a.sql", "README.md", "x.sql", "3_.sql", "3_c.SQL", "archive"):
        if name == "archive":
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_text("select 1")
    folder = SupabaseFiles(str(tmp_path)).folder
    assert [file.file for file in folder.files] == ["100_a.sql", "20_b.sql", "3_.sql"]
    assert folder.skipped == ("3_c.SQL", "x.sql")


def test_the_clis_old_first_file_is_passed_over(tmp_path):
    (tmp_path / "20210101000000_init.sql").write_text("select 1")
    (tmp_path / "20220101000000_init.sql").write_text("select 1")
    assert [file.version for file in SupabaseFiles(str(tmp_path)).folder.files] == [
        "20220101000000"
    ]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        _folder = SupabaseFiles(str(tmp_path / "nowhere")).folder


def test_two_files_of_one_version_are_told():
    files = [migration("1", name="a"), migration("1", name="b"), migration("2")]
    assert duplicates(files) == {"1": ["1_a.sql", "1_b.sql"]}


@pytest.mark.parametrize(("content", "problem"), [
    (b"select 1;\n\xff", r"not UTF-8 \(line 2, byte 10\)"),
    (b"select 1;\n\0", "NUL character in line 2"),
    ("", "no statement"),
    ("-- nothing\n;", "no statement"),
    ("select 1;\n\n/* open\ncreate table a ()", "comment that begins in line 3 and never ends"),
    ("/* /* */ create table a ()", "comment that begins in line 1 and never ends"),
    ("select 1;\n\\d x", "meta-command in line 2"),
])  # fmt: skip
def test_what_cannot_run_is_told(content, problem):
    [told] = problems_of(migration("1", content))
    assert re.search(problem, told)
