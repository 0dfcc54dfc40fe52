"""What a person says became of a migration, and where a folder and a database stand to each other."""

import shlex
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
from tests.integration.prisma_project import PrismaProject
from tests.integration.supabase_project import Holder
from tests.tables import cases


@pytest.fixture
def failed(project) -> PrismaProject:
    """One migration applied, the second one failed, the third one pending."""
    project.write(
        a="CREATE TABLE a ()", b="INSERT INTO nowhere VALUES ('k3y')", c="CREATE TABLE c ()"
    )
    assert project.run()["code"] == "P3018"
    return project


@cases(("resolution", "names", "rows"), {
    "rolled back": ("rolled_back", ["b"], [("a", True, False, 1), ("b", False, True, 0)]),
    "applied": ("applied", ["b"], [("a", True, False, 1), ("b", False, True, 0), ("b", True, False, 0)]),
    "applied and pending ones": (
            "applied",
            ["c", "b", "a"],
            [("a", True, False, 1), ("b", False, True, 0), ("b", True, False, 0), ("c", True, False, 0)],
        ),
})  # fmt: skip
def test_resolving_is_predicted_done_once_and_then_nothing_to_do(failed, resolution, names, rows):
    before = failed.rows()
    predicted = failed.resolve(resolution, *names, check=True, diff=True)
    assert failed.rows() == before
    done = failed.resolve(resolution, *names, diff=True)
    assert failed.rows() == rows
    for key in ("changed", "resolved", "diff"):
        assert predicted[key] == done[key]
    assert (done["changed"], "b: failed\n" in done["diff"]["before"]) == (True, True)
    for check in (True, False):
        again = failed.resolve(resolution, *names, check=check)
        assert (again["changed"], again["resolved"]) == (False, [])
    assert failed.rows() == rows


def typed(refused: dict[str, t.Any]) -> list[tuple[str, list[str]]]:
    """What the commands of a message say: resolution and names of each."""
    said = []
    for playbook, options in commands_in(refused["msg"]):
        values = dict(word.split("=") for word in shlex.split(options) if word != "-e")
        assert playbook == "resolve_migrations.yml"
        assert list(values) == ["prisma_migrate_resolution", "prisma_migrate_resolved"]
        said.append(
            (values["prisma_migrate_resolution"], values["prisma_migrate_resolved"].split(","))
        )
    return said


def test_the_error_of_a_failed_one_is_answered_by_the_command_it_names(failed):
    stopped = failed.run()
    assert (stopped["reason"], stopped["code"]) == ("FailedMigration", "P3009")
    rolled_back, applied = typed(stopped)
    assert applied == ("applied", ["b"])
    failed.resolve(rolled_back[0], *rolled_back[1])
    failed.write(b="CREATE TABLE b ()")
    assert failed.run()["versions"] == ["a", "b", "c"]


def test_a_database_without_history_is_baselined_by_the_command_its_refusal_names(project):
    project.query("CREATE TABLE a ()")
    project.query("CREATE TABLE b ()")
    project.write(a="CREATE TABLE a ()", b="CREATE TABLE b ()", c="CREATE TABLE c ()")
    refused = project.run()
    assert (refused["code"], project.info()["status"]) == ("P3005", "needs_baseline")
    [(resolution, names)] = typed(refused)
    project.resolve(resolution, *names, check=True)
    assert not project.has("_prisma_migrations")
    project.resolve(resolution, *names)
    assert [each["name"] for each in project.run()["applied"]] == ["c"]


def test_one_name_that_may_not_be_resolved_stops_all(failed):
    before = failed.rows()
    refused = failed.resolve("rolled_back", "b", "c")
    assert (refused["code"], failed.rows()) == ("P3011", before)


def test_an_attempt_that_was_made_good_since_is_warned_of(failed, capfd):
    failed.resolve("rolled_back", "b")
    failed.write(b="CREATE TABLE b ()")
    failed.run()
    result = failed.resolve("rolled_back", "b")
    assert result["changed"] is False
    assert "b failed once and was applied since" in capfd.readouterr().err


def test_resolving_waits_for_a_migration_that_runs(failed):

    with Holder(failed, "SELECT pg_advisory_lock(72707369)"):
        result = failed.resolve("rolled_back", "b", advisory_lock_timeout=0.2)
    assert (result["reason"], failed.rows()[1]) == ("Locked", ("b", False, False, 0))


@pytest.mark.parametrize(
    "options",
    [{"state": "resolved"}, {"state": "resolved", "migrations": ["b"]}],
)
def test_options_that_need_each_other_are_asked_for_together(failed, options):
    assert failed.run(**options)["failed"] is True


def test_everything_is_told_and_nothing_fails(failed):
    failed.write(a="CREATE TABLE a (edited int)")
    failed.query(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'y', '0', now())"
    )
    failed.query(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, rolled_back_at) VALUES ('z', 'y', 'b', now())"
    )
    told = failed.info()
    assert (told["changed"], told["status"], told["code"]) == (False, "failed", "P3009")
    assert [each["name"] for each in told["applied"]] == ["a", "0"]
    assert told["applied"][0]["seconds"] >= 0
    assert told["applied"][0]["started_at"].startswith("20")
    assert (told["pending"], told["missing_locally"]) == (["c"], ["0"])
    assert [each["name"] for each in told["rolled_back"]] == ["b"]
    assert "nowhere" in told["failed_migrations"][0]["logs"]
    assert list(told["drift"]) == ["a/migration.sql"]
    assert "k3y" not in str(told)


def test_logs_that_prisma_wrote_are_shown_without_the_data_in_them(failed):
    failed.query("""
    UPDATE _prisma_migrations SET logs = 'A migration failed to apply.

Database error code: 23505

Database error:
ERROR: duplicate key value violates unique constraint "users_email_key"
DETAIL: Key (email)=(ann@example.org) already exists.

DbError { detail: Some("Key (email)=(ann@example.org) already exists.") }' WHERE migration_name = 'b'
    """)
    logs = failed.info()["failed_migrations"][0]["logs"]
    assert ("users_email_key" in logs, "ann@example.org" in logs) == (True, False)


def test_a_folder_and_a_database_that_agree_are_up_to_date(project):
    project.write(a="CREATE TABLE a ()")
    assert (project.info()["status"], project.info()["pending"]) == ("pending", ["a"])
    project.run()
    assert (project.info()["status"], project.info()["code"]) == ("up_to_date", None)


def test_no_key_of_the_result_is_one_that_ansible_reads_as_a_failure(failed):
    assert not {"failed", "skipped", "unreachable"} & set(failed.info())
