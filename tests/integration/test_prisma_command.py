"""The workspace's own commands: what they say is understood, and what they did is looked at."""

import threading
import time
import typing as t
from pathlib import Path

import pytest

from tests.integration.prisma_project import PrismaProject, applied_as
from tests.waiting import until

INSERT = """
INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at{0}) VALUES ('{1}', 'x', '{1}', now(){2})
"""


@pytest.fixture
def pending(project) -> PrismaProject:
    project.write(a="CREATE TABLE a ()")
    return project


def command(project: PrismaProject, script: str, **options: t.Any) -> dict[str, t.Any]:
    """The module's result when `sh` runs the script as the workspace's command."""
    argv = ["sh", "-c", script]
    given = {"engine": "command", "command": argv, "chdir": str(project.folder.parent), **options}
    return project.run(**given)


@pytest.mark.parametrize(("said", "reason", "code"), [
    ("Error: P1000\n\nAuthentication failed against database server", "Refused", "P1000"),
    ("Error: P1001: Can't reach database server at db:5432", "Unreachable", "P1001"),
    ("Error: P1002\n\nThe database server was reached but timed out.", "Unreachable", "P1002"),
    ("Error: P1002\n\nTimed out.\nTimed out trying to acquire a postgres advisory lock", "Locked",
     "P1002"),
    ("Error: P3005\n\nThe database schema is not empty.", "NotEmpty", "P3005"),
    ("Error: P3009\n\nmigrate found failed migrations", "FailedMigration", "P3009"),
    ("Error: P3018\n\nA migration failed to apply.", "MigrationFailed", "P3018"),
    ("Segmentation fault", "Refused", None),
])  # fmt: skip
def test_what_the_command_says_is_sorted_as_our_own_failures(pending, said, reason, code):
    result = command(pending, f"cat <<'END' >&2\n{said}\nEND\nexit 1")
    assert (result["reason"], result.get("code"), result["rc"]) == (reason, code, 1)
    assert result["output"][-1] == said.splitlines()[-1]


def test_the_sentence_after_the_code_is_the_one_that_is_told(pending):
    result = command(pending, "echo 'Error: P3018\n\nA migration failed to apply.\nhint'; exit 1")
    assert "(P3018): A migration failed to apply." in result["msg"]


def test_an_output_of_nothing_but_a_code_is_told_too(pending):
    assert "it said nothing" in command(pending, "exit 7")["msg"]


def test_a_command_that_does_not_end_is_killed_with_all_it_started(pending):
    mark = pending.folder.parent / "alive"
    script = f"echo begun; sh -c 'while :; do date +%s%N > {mark}; sleep 0.05; done' & wait"
    result = command(pending, script, command_timeout=4)
    assert (result["reason"], result["output"]) == ("NotReady", ["begun"])
    last = mark.read_text()
    time.sleep(0.3)
    assert mark.read_text() == last, "a grandchild still runs"


def test_what_a_command_leaves_behind_does_not_hold_us_up(pending):
    began = time.monotonic()
    result = command(pending, "sleep 60 & echo done; exit 0", command_timeout=50)
    assert (result["reason"], time.monotonic() - began < 40) == ("VerificationFailed", True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"command": ["no-such-program", "deploy"]}, "No program 'no-such-program'"),
        ({"command": []}, "'command'"),
        ({"chdir": "/nowhere"}, "Option 'chdir' is '/nowhere'"),
        ({"command": ["./no-such-file"]}, "No program"),
    ],
)
def test_a_command_that_cannot_start_is_told_by_its_option(pending, options, words):
    result = command(pending, "exit 0", **options)
    assert (result["reason"], words in result["msg"]) == ("InvalidInput", True)
    assert pending.rows() == []


def test_a_path_with_a_slash_is_looked_for_from_its_folder(pending):
    program = pending.folder.parent / "deploy"
    program.write_text("#!/bin/sh\npwd > ran\n")
    program.chmod(0o755)
    command(pending, "", command=["./deploy"])
    assert (pending.folder.parent / "ran").read_text().strip() == str(pending.folder.parent)


@pytest.mark.parametrize(
    "said",
    [
        'npm error Missing script: "prisma:migrate:deploy"',
        "ERR_PNPM_NO_SCRIPT  Missing script: prisma:migrate:deploy",
        "None of the selected packages has a \"prisma:migrate:deploy\" script",
        'No projects matched the filters in "/srv/easymo"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("rc", [0, 1])
def test_a_workspace_without_the_script_is_told_even_when_its_tool_ends_well(pending, said, rc):
    result = command(pending, f"echo '{said}'; exit {rc}")
    assert (result["reason"], "no script for" in result["msg"]) == ("InvalidInput", True)


def test_the_url_is_in_the_environment_alone_and_never_told(pending, tmp_path):
    script = f"tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/argv; echo \"$DATABASE_URL\"; exit 1"
    result = command(pending, script)
    password = pending.database["login_password"]
    assert password not in (tmp_path / "argv").read_text()
    assert password not in str(result)
    assert result["output"][0].startswith("****")


def deploys(project: PrismaProject, *then: str) -> str:
    """A script that does what Prisma would, by way of a pipe to us."""
    folder = project.folder.parent
    return (
        f"touch {folder}/go; while [ ! -e {folder}/gone ]; do sleep 0.02; done; {'; '.join(then)}"
    )


@pytest.fixture
def accomplice(pending) -> t.Iterator[t.Callable[[str], None]]:
    """Writes to the database while the command runs."""
    threads: list[threading.Thread] = []

    def start(sql: str) -> None:
        def work() -> None:
            until(lambda: (pending.folder.parent / "go").exists())
            pending.query(sql)
            (pending.folder.parent / "gone").touch()

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


TABLE = """
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64), finished_at timestamptz,
    migration_name varchar(255), logs text, rolled_back_at timestamptz, started_at timestamptz DEFAULT now(),
    applied_steps_count int DEFAULT 0);
"""


def test_the_result_has_the_shape_of_the_native_engines(pending, accomplice):
    native = pending.run(check=True)
    accomplice(TABLE + INSERT.format(", finished_at", "a", ", now()"))
    result = command(pending, deploys(pending, "echo applied"), drift="warn")
    assert set(native) == set(result)
    assert [each["name"] for each in result["applied"]] == ["a"]
    assert (result["output"], result["locks_unknown"]) == (["applied"], ["a/migration.sql"])


def test_a_failure_is_read_from_the_history_whatever_the_command_called_it(pending, accomplice):
    pending.write(b="CREATE TABLE b ()")
    accomplice(
        TABLE + INSERT.format(", finished_at", "a", ", now()") + ";" + INSERT.format("", "b", "")
    )
    result = command(pending, deploys(pending, "echo oops", "exit 1"))
    assert (result["reason"], result["code"], result["file"]) == (
        "MigrationFailed",
        "P3018",
        "b/migration.sql",
    )
    assert result["applied"] == [applied_as("a")]


def generator(project: PrismaProject, script: str) -> dict[str, t.Any]:
    return {"generate_command": ["sh", "-c", script], "chdir": str(project.folder.parent)}


def test_the_generator_runs_after_migrations_and_not_without_them(pending):
    made = pending.folder.parent / "generated"
    options = generator(pending, "echo made a client; echo x >> generated")
    predicted = pending.run(check=True, **options)
    assert (predicted["generated"], made.exists()) == (True, False)
    done = pending.run(**options)
    assert (done["generated"], done["output"]) == (True, ["made a client"])
    assert pending.run(**options)["generated"] is False
    assert made.read_text() == "x\n"
    always = pending.run(generate="always", **options)
    assert (always["generated"], always["changed"]) == (True, False)
    assert pending.run(generate="always", check=True, **options)["generated"] is True
    assert made.read_text() == "x\nx\n"


def test_a_generator_that_fails_says_that_the_migrations_are_applied(pending):
    result = pending.run(**generator(pending, "echo no schema.prisma; exit 1"))
    assert (result["reason"], result["applied"]) == ("GenerateFailed", [applied_as("a")])
    assert "The migrations are applied; run it by hand, or with generate=always." in result["msg"]
    assert pending.rows() == [("a", True, False, 1)]


def test_a_missing_script_of_the_generator_names_its_option(pending):
    result = pending.run(
        **generator(pending, "echo 'ERR_PNPM_NO_SCRIPT Missing script: x'; exit 1")
    )
    assert "'generate_command'" in result["msg"]


def test_nothing_is_generated_when_a_migration_failed(pending):
    pending.write(b="SELECT nothing")
    pending.run(**generator(pending, "touch generated"), additive_only=False)
    assert not Path(pending.folder.parent / "generated").exists()
