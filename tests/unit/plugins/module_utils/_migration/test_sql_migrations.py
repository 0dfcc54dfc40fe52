"""Plain SQL files: their names and order, Flyway's checksum and lock, and what only Flyway can do."""

import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.flyway import (
    TABLE,
    FlywayFiles,
    checksum_of,
    lock_of,
    plain_version,
    shown_version,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.models import Migration
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import Applied

Row = tuple[t.Any, ...]
ONE_LINE = "alter table user add bio varchar(256) null;"
"""Flyway itself gave this file of a public project the checksum below: it stands in a dump of its database."""
ITS_CHECKSUM = -1023348034


@pytest.mark.parametrize(
    "text",
    [
        ONE_LINE,
        f"\ufeff{ONE_LINE}\n",
        ONE_LINE.replace(" add", "\r\n add"),
        ONE_LINE.replace(" add", "\r add") + "\n\n",
    ],
)
def test_the_checksum_is_flyways_whatever_the_line_ends(text):
    assert checksum_of(text) == ITS_CHECKSUM


def test_the_lock_is_flyways():
    """ "Flyway" as a number, plus what a Java 17 answers for the hashCode() of the quoted name."""
    assert lock_of(TABLE) == 0x466C79776179 + 2125624436


@pytest.mark.parametrize(
    ("version", "plain"),
    [("1", "1"), ("01", "1"), ("1.0", "1"), ("1_2_0", "1.2"), ("0", "0"), ("0.0.1", "0.0.1")],
)
def test_versions_that_flyway_takes_for_one_are_one(version, plain):
    assert plain_version(version) == plain


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("select 1")


def test_files_run_by_the_numbers_in_their_versions(tmp_path):
    write(tmp_path, "V10__j.sql", "V1.10__b_c.sql", "V1_9__a.SQL", "more/V2.sql", "README.md", "seed.sql")  # fmt: skip
    folder = FlywayFiles(str(tmp_path)).folder
    assert [(each.version, each.name, each.file) for each in folder.files] == [
        ("1.9", "a", "V1_9__a.SQL"),
        ("1.10", "b c", "V1.10__b_c.sql"),
        ("2", "", "more/V2.sql"),
        ("10", "j", "V10__j.sql"),
    ]
    assert folder.skipped == ("seed.sql",)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("R__views.sql", "repeatable"),
        ("U2__undo.sql", "undo"),
        ("B5__all.sql", "baseline"),
        ("beforeMigrate.sql", "callback"),
        ("afterEachMigrate__log.sql", "callback"),
        ("V2__x.sh", "V2__x.sh is a program"),
        ("R__x.java", "R__x.java is a program"),
        ("V1__a.sql.conf", "configures"),
        ("V2_typing.sql", "not named V<version>__<description>.sql"),
        ("v2__small.sql", "not named"),
        ("later/R__views.sql", "later/R__views.sql is a repeatable"),
    ],
)
def test_what_only_flyway_could_run_is_refused(tmp_path, name, why):
    write(tmp_path, "V1__a.sql", name)
    with pytest.raises(InputError, match=why):
        _folder = FlywayFiles(str(tmp_path)).folder


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        _folder = FlywayFiles(str(tmp_path / "nowhere")).folder


@pytest.mark.parametrize(("file", "shown"), [("a/V1_0__x.sql", "1.0"), ("V007.sql", "007")])
def test_the_history_has_the_version_as_the_name_writes_it(file, shown):
    assert shown_version(file) == shown


def migration(version: str, sql: str | bytes = "select 1") -> Migration:
    raw = sql if isinstance(sql, bytes) else sql.encode()
    return Migration(plain_version(version), "x", f"V{version}__x.sql", raw)


def test_a_placeholder_is_a_problem_and_its_line_is_told():
    [problem] = FlywayFiles("").problems_of(
        migration("1", "select 1;\ninsert into a values ('${who}')")
    )
    assert "V1__x.sql has the placeholder ${who} in line 2" in problem
    assert not [*FlywayFiles("").problems_of(migration("1", "select '$' || '{who}'"))]


class Database:
    """Answers the three questions that are asked about a history; None is a database without the table."""

    in_transaction = False

    def __init__(self, rows: list[Row] | None, *, elsewhere: str = "", tables: bool = False):
        self._rows, self._elsewhere, self._tables = rows, elsewhere, tables

    def rows(self, sql: str, values: object = None) -> list[Row]:
        if "to_regclass" in sql:
            return [] if self._rows is None else [(1,)]
        if "flyway_schema_history'" in sql:
            return [(self._elsewhere,)] if self._elsewhere else []
        if "pg_depend" in sql:
            return [(1,)] if self._tables else []
        return self._rows or []

    def execute(self, sql: str, values: object = None) -> None:
        raise AssertionError(f"Reading wrote: {sql}")


def row(version: str | None, kind: str = "SQL", *, success: bool = True) -> Row:
    return (version, "x", kind, f"V{version}__x.sql", checksum_of("select 1"), success)


SCHEMA = (None, "<< Flyway Schema Creation >>", "SCHEMA", '"app"', None, True)
BASELINE = ("3", "<< Flyway Baseline >>", "BASELINE", "<< Flyway Baseline >>", None, True)


def read(rows: list[Row] | None, baseline: str = "", **more: t.Any) -> list[Applied]:
    return FlywayFiles("", baseline=baseline).read_history(Database(rows, **more))


def test_a_history_of_flyway_is_read_in_the_order_of_versions():
    found = read([SCHEMA, row("10"), BASELINE, row("4.0")])
    assert [(each.version, each.baseline) for each in found] == [
        ("3", True),
        ("4", False),
        ("10", False),
    ]


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([row("1"), row("2", success=False)], ConflictError, "failed in V2__x.sql"),
        ([row(None)], RefusedError, "(repeatable)"),
        ([row("1"), row("1", "UNDO_SQL")], RefusedError, "UNDO_SQL"),
        ([row("1", "JDBC")], RefusedError, "JDBC"),
        ([row("1"), row("1", "DELETE")], RefusedError, "DELETE"),
        ([row("one")], RefusedError, "Vone__x.sql"),
    ],
)
def test_a_history_that_only_flyway_understands_is_refused(rows, error, words):
    with pytest.raises(error) as caught:
        read(rows)
    assert words in str(caught.value)


def test_a_history_in_another_schema_is_not_taken_for_none():
    with pytest.raises(RefusedError, match="in schema app"):
        read(None, elsewhere="app", tables=True)


def test_tables_without_a_history_need_a_baseline_and_nothing_needs_none():
    with pytest.raises(ConflictError, match="'baseline'"):
        read(None, tables=True)
    assert read(None, "4.0", tables=True)[0].version == "4"
    assert read(None, "4.0") == read(None) == []


def pending(history: list[Applied], *local: str, include_all: bool = False) -> list[str]:
    files = [migration(version) for version in local]
    found = FlywayFiles("", include_all=include_all).pending_after(history, files)
    return [each.version for each in found]


def test_files_up_to_a_baseline_neither_run_nor_must_they_be_there():
    assert pending(read([BASELINE]), "1", "3.0", "4") == ["4"]
    assert pending(read([BASELINE, row("4")]), "4", "5") == ["5"]


def test_a_version_compares_by_its_numbers():
    assert pending(read([row("1.9")]), "1.9", "1.10") == ["1.10"]
    with pytest.raises(ConflictError, match=r"newer applied 1\.10: V1\.9__x\.sql"):
        pending(read([row("1.10")]), "1.9", "1.10")
    assert pending(read([row("1.10")]), "1.9", "1.10", include_all=True) == ["1.9"]


def test_a_version_that_only_the_database_has_is_refused_with_its_cure():
    with pytest.raises(ConflictError, match=f"delete their rows from {TABLE}"):
        pending(read([row("1"), row("2")]), "1")


def test_an_edited_file_has_another_checksum_and_a_row_without_one_is_trusted():
    table = FlywayFiles("")
    files = [migration("1", "select 2"), migration("2"), migration("3", b"\xff"), migration("4")]
    history = [*read([row("1"), row("2"), row("3")]), Applied("4", "x", None, None)]
    drifted = table.find_drift(history, files)
    assert [*drifted] == ["V1__x.sql", "V3__x.sql"]
    assert str(checksum_of("select 2")) in drifted["V1__x.sql"]
    assert "not UTF-8" in drifted["V3__x.sql"]
