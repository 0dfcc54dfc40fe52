"""A type that is only wider costs nothing, but where PostgreSQL has to read all rows for it."""

from dataclasses import replace

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from tests.unit.plugins.module_utils._migration.guard.shop import SHOP

WIDER = "ALTER TABLE users ALTER COLUMN email TYPE varchar(320);"


def rules(sql: str, *scanned: str) -> list[str]:
    catalog = replace(
        SHOP, scanned_columns=frozenset(("public", "users", name) for name in scanned)
    )
    found = review([Source("m.sql", split_script(sql).statements)], catalog).findings
    return [finding.rule for finding in found]


def test_a_column_that_an_expression_or_a_check_names_is_read():
    assert rules(WIDER) == []
    assert rules(WIDER, "name") == []
    assert rules(WIDER, "email") == ["column-scanned"]


def test_so_is_one_that_a_partial_index_of_this_run_may_name():
    plain = "CREATE INDEX CONCURRENTLY i ON users (email)"
    assert rules(f"{plain};\n{WIDER}") == []
    assert rules(f"{plain} WHERE email <> '';\n{WIDER}") == ["column-scanned"]
