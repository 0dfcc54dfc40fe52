"""The table is there, empty, and each file is recorded once where Flyway looks."""

DATABASE = "test_role_sql"
HISTORY = (
    "SELECT version, script, success FROM public.flyway_schema_history ORDER BY installed_rank"
)


def test_the_table_is_there_and_empty(witness):
    assert witness.psql(DATABASE, "SELECT count(note) FROM public.orders") == ["0"]


def test_each_file_is_recorded_once_in_the_order_of_versions(witness):
    assert witness.psql(DATABASE, HISTORY) == ["1|V1__orders.sql|t", "1.1|V1.1__order_notes.sql|t"]
