import hashlib

from tests.tables import cases

ROWS = """
SELECT migration_name, checksum, applied_steps_count, finished_at IS NOT NULL, rolled_back_at IS NOT NULL
FROM _prisma_migrations ORDER BY started_at
"""


def test_creating_and_changing_are_predicted_done_once_and_then_nothing_to_do(project):
    project.write(a="CREATE TABLE a (id int)")
    for name in ("a", "b"):
        project.write(**{name: f"CREATE TABLE {name} (id int)"})
        before = project.rows()
        predicted = project.run(check=True, diff=True)
        assert project.rows() == before
        done = project.run(diff=True)
        assert [each["name"] for each in predicted["pending"]] == [name]
        assert predicted["pending"] == done["applied"]
        assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
        after = project.rows()
        for check in (True, False):
            again = project.run(check=check, diff=True)
            assert (again["changed"], again["pending"], again["applied"]) == (False, [], [])
            assert again["diff"]["before"] == again["diff"]["after"] == ""
        assert project.rows() == after


def test_migrations_run_once_and_are_recorded_as_prisma_does(project):
    project.write(a="create table a();\ncreate table a2()", b="-- This is an empty migration.")
    result = project.run(expect_tables=["a"])
    assert (result["changed"], result["versions"]) == (True, ["a", "b"])
    assert result["tables"] == [{"name": "public.a", "created": True, "rows": 0}]
    checksum = hashlib.sha256(b"create table a();\ncreate table a2()").hexdigest()
    assert project.query(ROWS)[0] == ("a", checksum, 1, True, False)
    again = project.run()
    assert (again["changed"], again["applied"], again["pending"]) == (False, [], [])


def test_a_failed_migration_stops_until_somebody_settles_it(project):
    project.write(
        a="create table a(); insert into nope values ('secret-value')", b="create table b()"
    )
    failed = project.run()
    assert (failed["reason"], failed["code"], failed["file"]) == (
        "MigrationFailed",
        "P3018",
        "a/migration.sql",
    )
    assert "secret-value" not in str(failed)
    assert [row[3] for row in project.query(ROWS)] == [False]
    assert project.run()["code"] == "P3009"

    project.query("UPDATE _prisma_migrations SET rolled_back_at = now()")
    project.write(a="create table a()")
    assert project.run()["versions"] == ["a", "b"]


@cases(
    ("content", "table"),
    {
        "byte order mark": (b"\xef\xbb\xbfCREATE TABLE a ();", "a"),
        "windows": (b"CREATE TABLE a (\r\n id int\r\n);\r\n", "a"),
        "empty": (b"", None),
        "comments": (b"-- nothing; yet\n;;\n/* ; */", None),
        "failing": (b"INSERT INTO nothing SELECT ';' WHERE false; CREATE TABLE a ()", None),
    },
)
def test_a_checksum_is_of_the_bytes_in_the_file(project, content, table):
    project.write(a=content)
    project.run(additive_only=False)
    assert project.query("SELECT checksum FROM _prisma_migrations") == [
        (hashlib.sha256(content).hexdigest(),)
    ]
    assert table is None or project.has(table)


@cases(
    ("content", "words"),
    {
        "latin-1": (b"CREATE TABLE a (); -- caf\xe9", "not UTF-8 (line 1"),
        "psql": (b"CREATE TABLE a ();\n\\connect other", "meta-command in line 2"),
        "nul": (b"CREATE TABLE a ();\nSELECT '\x00'", "NUL character in line 2"),
    },
)
def test_a_script_that_cannot_run_is_refused_before_any_other_runs(project, content, words):
    project.write(a="CREATE TABLE first ()", b=content)
    refused = project.run(additive_only=False)
    assert (refused["reason"], words in refused["msg"]) == ("InvalidInput", True)
    assert project.rows() == []


def test_what_is_no_folder_is_passed_over(project):
    project.write(a="CREATE TABLE a ()")
    (project.folder / "README.md").write_text("x")
    (project.folder / "migration_lock.toml").write_text('provider = "postgresql"\n')
    assert project.run()["versions"] == ["a"]


def test_an_edited_migration_is_refused_with_both_checksums_and_may_be_waived(project):
    project.write(a="CREATE TABLE a ()")
    project.run()
    project.write(a="CREATE TABLE a (id int)")
    refused = project.run()
    assert refused["reason"] == "Drift"
    assert project.run(drift="warn")["changed"] is False
    drift = refused["drift"]["a/migration.sql"]
    for content in (b"CREATE TABLE a ()", b"CREATE TABLE a (id int)"):
        assert hashlib.sha256(content).hexdigest()[:12] in drift


def test_another_schema_has_a_history_of_its_own(project):
    project.query('CREATE SCHEMA "My %schema"')
    project.write(a="CREATE TABLE a ()")
    assert project.run(schema="My %schema", expect_tables=["a"])["tables"][0]["rows"] == 0
    assert (project.has('"My %schema"._prisma_migrations'), project.has("public.a")) == (
        True,
        False,
    )


def test_a_migration_the_folder_has_lost_is_warned_of(project):
    project.write(a="create table a()", b="create table b()")
    project.run()
    (project.folder / "a" / "migration.sql").unlink()
    (project.folder / "a").rmdir()
    result = project.run()
    assert (result["changed"], result["missing_locally"]) == (False, ["a"])
