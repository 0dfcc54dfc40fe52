import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard import parser
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.parser import in_parts
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from tests.benchmarks.migrations import check_large_file
from tests.unit.plugins.module_utils._migration.guard.shop import SHOP

HEAD = "-- seeds, (many)\nINSERT INTO users (id, name)\nVALUES\n"


def long(*rows: str, tail: str = "", head: str = HEAD) -> str:
    """With rows of literals around `rows`, enough of them to be cut."""
    filling = [f"  ({number}, 'it''s ), (row {number}')" for number in range(9000)]
    return head + ",\n".join([*filling, *rows, *filling]) + tail


def rules(sql: str) -> list[str]:
    return [
        each.rule for each in review([Source("m.sql", split_script(sql).statements)], SHOP).findings
    ]


def test_a_short_statement_is_read_whole():
    [part] = in_parts("INSERT INTO a VALUES (1), (f())")
    assert part == "INSERT INTO a VALUES (1), (f())"


def test_rows_of_literals_are_not_read_and_what_follows_them_is():
    [part] = in_parts(long(tail=" ON CONFLICT (id) DO NOTHING"))
    assert part == f"{HEAD}  (8999, 'it''s ), (row 8999') ON CONFLICT (id) DO NOTHING"


def test_every_row_that_may_do_something_is_in_a_part(monkeypatch):
    monkeypatch.setattr(parser, "_PART", 10)
    rows = [
        "(1, f(E'it\\'s ), (', 2))",
        "(2, $a$ ), ( $a$ || '')",
        "(3, (SELECT 1) /* ), ( */ + 1)",
    ]
    parts = [part.removeprefix(f"{HEAD}  ") for part in in_parts(long(*rows))]
    assert parts == [*rows, "(8999, 'it''s ), (row 8999')"]


@pytest.mark.parametrize(("sql", "found"), [
    (long(), []),
    (long("(1, lower('x'))"), []),
    (long("(1, who_knows())"), ["function"]),
    (long("(1, 'a'), (2, who_knows()), (3, lower('b'))"), ["function"]),
    (long(tail=" ON CONFLICT (id) DO UPDATE SET name = 'x'"), ["rows-overwritten"]),
    (long(tail=" RETURNING who_knows()"), ["function"]),
    (long("(1, 'it's')"), ["syntax"]),
    (long("(1, $$ open)"), ["syntax"]),
    (long("(1, (SELECT 1)"), ["syntax"]),
    (long(head="WITH gone AS (DELETE FROM users RETURNING 1) " + HEAD), ["rows-deleted"]),
    (long(head="INSERT INTO users (id, name) SELECT who_knows(), 'x' UNION VALUES "), ["function"]),
])  # fmt: skip
def test_a_long_insert_is_judged_as_a_short_one(sql, found):
    assert rules(sql) == found


def test_a_mistake_in_a_late_row_is_told_with_its_line():
    sql = long("(1, lower('x'))", "(2, lower('x') oops oops)")
    [found] = review([Source("m.sql", split_script(sql).statements)], SHOP).findings
    assert found.rule == "syntax"
    assert f"in line {3 + 9000 + 2}, column 16" in found.what


@pytest.mark.nightly
def test_a_file_of_thirty_megabytes_is_checked_in_less_than_ten_times_that():
    _seconds, megabytes = check_large_file(30)
    assert megabytes < 300


def test_rows_that_call_something_are_read_in_little_memory_too():
    sql = HEAD + ",".join(f"(lower('Row {number}'), now())" for number in range(12_000))
    parts = [len(part) for part in in_parts(sql)]
    assert len(parts) > 3
    assert max(parts) < 110_000
