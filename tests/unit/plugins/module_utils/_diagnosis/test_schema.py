"""What migrations make, as far as their statements tell."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.migration import made_by

A = ("public", "a")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("CREATE TABLE a (id int, b text)", {A: {"id", "b"}}),
        ('CREATE TABLE app."A b" (id int)', {("app", "A b"): {"id"}}),
        ("CREATE TABLE a (id int); ALTER TABLE a ADD COLUMN c int, DROP COLUMN id", {A: {"c"}}),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME COLUMN id TO key", {A: {"key"}}),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME TO z", {("public", "z"): {"id"}}),
        ("CREATE TABLE a (id int); DROP TABLE a", {}),
        ("CREATE TABLE a (id int); CREATE TABLE IF NOT EXISTS a (x int)", {A: {"id"}}),
        ("ALTER TABLE a ADD COLUMN c int", {A: {"c"}}),
        ("CREATE TEMP TABLE a (id int)", {}),
        ("CREATE INDEX i ON a (id); ALTER INDEX i RENAME TO j; DROP INDEX j", {}),
        ("CREATE VIEW v AS SELECT 1; ALTER VIEW v RENAME TO w; DROP VIEW w", {}),
        ("INSERT INTO a VALUES (1)", {}),
    ],
)
def test_tables_and_columns(sql, tables):
    made = made_by([("1.sql", sql)])
    assert made.tables == tables
    assert made.unread == []


def test_only_what_is_not_taken_for_granted_fails_where_it_is_there():
    made = made_by(
        [("1", "CREATE TABLE a (id int)"), ("2", "CREATE TABLE IF NOT EXISTS b (id int)")]
    )
    assert made.created == {A}


def test_a_script_that_cannot_be_read_is_told_and_the_others_count():
    made = made_by([("1.sql", "CREATE TABBLE x"), ("2.sql", "CREATE TABLE a (id int)")])
    assert [one.split(":")[0] for one in made.unread] == ["1.sql could not be read"]
    assert made.tables == {A: {"id"}}
