"""One history for two: what the Supabase CLI pushed is applied for us, and what we applied is pushed for it."""

import contextlib
import json
import re
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.running import hosted_database, query
from tests.interop.projects import Options, Project, history, objects
from tests.interop.scripts import FAILING, NOT_MIGRATIONS, REALISTIC, SCRIPTS

RECORDING = Path(__file__).with_name("recorded_of_the_supabase_cli.json")
RECORDED = json.loads(RECORDING.read_text("utf-8"))
ORDER = sorted(REALISTIC, key=lambda name: name.partition("_")[0])


def test_the_same_folder_leaves_the_same_and_is_applied_for_the_other_one(project, database, twin):
    project.write(REALISTIC | NOT_MIGRATIONS)
    assert sorted(project.push(database)["migrations"]) == sorted(REALISTIC)
    assert [entry["file"] for entry in project.migrate(twin)["applied"]] == ORDER
    assert history(twin) == history(database)
    assert objects(twin) == objects(database)
    assert len(history(twin)) == len(REALISTIC)
    for check in (True, False):
        result = project.migrate(database, check=check)
        assert (result["changed"], result["drift"], result["pending"]) == (False, {}, [])
    assert result["versions"] == [name.partition("_")[0] for name in ORDER]
    pushed = project.push(twin)
    assert (pushed["rc"], pushed["upToDate"]) == (0, True)
    listed = project.supabase(twin, "migration", "list")["migrations"]
    assert [(each["local"], each["remote"]) for each in listed] == [
        (name.partition("_")[0],) * 2 for name in ORDER
    ]


def test_each_goes_on_where_the_other_stopped(project, database):
    project.write({"1_a.sql": "create table a(id int)"})
    project.push(database)
    project.write({"2_b.sql": "create table b(id int); -- two"})
    assert [entry["file"] for entry in project.migrate(database)["applied"]] == ["2_b.sql"]
    project.write({"3_c.sql": "create table c(id int)"})
    assert project.push(database)["migrations"] == ["3_c.sql"]
    assert project.migrate(database)["changed"] is False


def left_in(database: Options, before: list[tuple[t.Any, ...]]) -> str:
    """The rows of the history and the objects that a failing folder leaves there, one a line."""
    made = [one for one in objects(database) if one not in before]
    return "\n".join(map(repr, (*history(database), *made)))


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_folder_leaves_what_was_recorded_of_the_cli(project, twin, name):
    project.write({"1_a.sql": "create table a()", **FAILING[name]})
    before = objects(twin)
    assert project.migrate(twin)["failed"]
    assert left_in(twin, before) == RECORDED["failing"][name]


@pytest.mark.nightly
@pytest.mark.parametrize("name", FAILING)
def test_the_cli_still_leaves_what_was_recorded_of_a_failing_folder(project, database, name):
    """A case that is not recorded yet is recorded, and fails this once."""
    project.write({"1_a.sql": "create table a()", **FAILING[name]})
    before = objects(database)
    assert project.push(database)["rc"] == 1
    left = left_in(database, before)
    if name not in RECORDED["failing"]:
        RECORDED["failing"][name] = left
        RECORDING.write_text(json.dumps(RECORDED, indent=1) + "\n", encoding="utf-8")
        pytest.fail(f"{RECORDING.name} has it now")
    assert left == RECORDED["failing"][name]


def test_the_recording_is_of_the_cli_that_is_installed():
    package = json.loads((RECORDING.parent / "supabase/package.json").read_text("utf-8"))
    assert package["dependencies"] == RECORDED["of"], (
        "take the cases out of it, and run the nightly test that records them"
    )


@pytest.mark.parametrize(
    "columns",
    ["version text PRIMARY KEY", "version text PRIMARY KEY, statements text[]"],
    ids=["of the first CLI", "with statements"],
)
def test_an_older_history_is_brought_up_to_date_alike(project, database, twin, columns):
    project.write({"1_a.sql": "create table a()", "2_b.sql": "create table b()"})
    for each in (database, twin):
        query(each, "CREATE SCHEMA supabase_migrations")
        query(each, f"CREATE TABLE supabase_migrations.schema_migrations ({columns})")
        query(each, "INSERT INTO supabase_migrations.schema_migrations VALUES ('1')")
    project.push(database)
    project.migrate(twin)
    assert (
        history(twin) == history(database) == [("1", None, None), ("2", "b", ["create table b()"])]
    )
    assert objects(twin) == objects(database)


@pytest.mark.parametrize(
    ("rows", "files", "ours", "theirs", "late"),
    [
        (["1", "2"], {"1_a.sql": "select 1"}, "MissingLocally", "DbPushMissingLocalError", ""),
        (["1", "3"], {"1_a.sql": "select 1", "2_b.sql": "select 1", "3_c.sql": "select 1"}, "OutOfOrder", None, "2"),
        (["10", "9"], {"10_a.sql": "select 1", "9_b.sql": "select 1", "8_c.sql": "select 1"}, "OutOfOrder", None, "8"),
    ],
)  # fmt: skip
def test_both_refuse_the_same_histories_until_repaired_as_printed(
    project, database, rows, files, ours, theirs, late
):
    project.write({"1_a.sql": "select 1"})
    query(database, "CREATE SCHEMA supabase_migrations")
    query(
        database,
        "CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text)",
    )
    for version in rows:
        query(database, f"INSERT INTO supabase_migrations.schema_migrations VALUES ('{version}')")
    (project.folder / "1_a.sql").unlink()
    project.write(files)
    before = history(database)
    refused = project.push(database)
    assert refused["rc"] == 1
    assert theirs in (None, refused["error"]["code"])
    result = project.migrate(database)
    assert result["reason"] == ours
    assert history(database) == before
    (cure,) = re.findall(r"run 'supabase (.+?)'", result["msg"])
    repaired = project.supabase(database, *cure.replace("<version>", late).split(), "--yes")
    assert repaired["rc"] == 0, repaired
    assert project.push(database)["upToDate"] is True
    assert project.migrate(database)["changed"] is False


def test_files_that_come_late_are_included_alike(project, database, twin):
    project.write({"1_a.sql": "create table a()", "3_c.sql": "create table c()"})
    project.push(database)
    project.migrate(twin)
    project.write({"2_b.sql": "create table b()", "4_d.sql": "create table d()"})
    assert project.push(database, "--include-all")["migrations"] == ["2_b.sql", "4_d.sql"]
    assert [each["version"] for each in project.migrate(twin, include_all=True)["applied"]] == [
        "2",
        "4",
    ]
    assert history(twin) == history(database)


@settings(
    max_examples=1, deadline=None, database=None, phases=[Phase.generate],  # a push is too slow to shrink over
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(scripts=st.lists(SCRIPTS, min_size=60, max_size=60))
def test_statements_are_cut_alike_whatever_they_are_made_of(world, supabase_cli, scripts):
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "home").mkdir()
        project = Project(folder, supabase_cli, folder / "home")
        project.write({f"{n:03}_x.sql": script for n, script in enumerate(scripts, start=1)})
        database, twin = (stack.enter_context(hosted_database(world)) for _ in range(2))
        pushed = project.push(database)
        assert pushed["rc"] == 0, pushed["error"]["message"]
        assert not project.migrate(twin).get("failed")
        assert history(twin) == history(database)
        assert project.migrate(database)["changed"] is False


def test_the_cli_trusts_the_sandbox_by_its_certificate_alone(project, database):
    project.write({"1_a.sql": "select 1"})
    refused = project.push({**database, "ca_cert": "/etc/ssl/certs/ca-certificates.crt"})
    assert "verify" in refused["error"]["message"]
