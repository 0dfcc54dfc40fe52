"""What migrations make, as far as their statements tell."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.migration import made_by

A = ("public", "a")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("CREATE TABLE a (id int, b text)", {A}),
        ('CREATE TABLE app."A b" (id int)', {("app", "A b")}),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME COLUMN id TO key", {A}),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME TO z", {("public", "z")}),
        ("CREATE TABLE a (id int); DROP TABLE a", set()),
        ("ALTER TABLE a ADD COLUMN c int", set()),
        ("CREATE TEMP TABLE a (id int)", set()),
        ("CREATE INDEX i ON a (id); ALTER INDEX i RENAME TO j; DROP INDEX j", set()),
        ("CREATE VIEW v AS SELECT 1; ALTER VIEW v RENAME TO w; DROP VIEW w", set()),
        ("INSERT INTO a VALUES (1)", set()),
    ],
)
def test_tables(sql, tables):
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
    assert made.tables == {A}
