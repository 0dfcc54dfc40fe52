"""The workspace's own generator of the client: it runs when it should, and what it prints is understood."""

import time
import typing as t
from pathlib import Path

import pytest

from tests.integration.prisma_project import PrismaProject, applied_as


@pytest.fixture
def pending(project) -> PrismaProject:
    project.write(a="CREATE TABLE a ()")
    return project


def generate(project: PrismaProject, script: str, **options: t.Any) -> dict[str, t.Any]:
    """The module's result when `sh` runs the script as the workspace's generator."""
    argv = ["sh", "-c", script]
    given = {"generate_command": argv, "chdir": str(project.folder.parent), **options}
    return project.run(**given)


def test_the_sentence_after_a_code_of_prisma_is_shown(pending):
    result = generate(pending, "echo 'Error code: P1012\n\nNo DATABASE_URL.\nhint'; exit 1")
    assert (result["code"], result["rc"]) == ("P1012", 1)
    assert "(P1012): No DATABASE_URL." in result["msg"]


def test_an_output_of_nothing_is_a_failure_too(pending):
    assert "it said nothing" in generate(pending, "exit 7")["msg"]


def test_a_generator_that_does_not_end_is_killed_with_all_it_started(pending):
    mark = pending.folder.parent / "alive"
    script = f"echo begun; sh -c 'while :; do date +%s%N > {mark}; sleep 0.05; done' & wait"
    result = generate(pending, script, command_timeout=4)
    assert (result["reason"], result["output"]) == ("GenerateFailed", ["begun"])
    last = mark.read_text()
    time.sleep(0.3)
    assert mark.read_text() == last, "a grandchild still runs"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"generate_command": ["no-such-program", "deploy"]}, "No program 'no-such-program'"),
        ({"chdir": "/nowhere"}, "Option 'chdir' is '/nowhere'"),
        ({"generate_command": ["./no-such-file"]}, "No program"),
    ],
)
def test_a_generator_that_cannot_start_is_shown_by_its_option(pending, options, words):
    assert words in generate(pending, "exit 0", **options)["msg"]


def test_a_path_with_a_slash_is_looked_for_from_its_folder(pending):
    program = pending.folder.parent / "make"
    program.write_text("#!/bin/sh\npwd > ran\n")
    program.chmod(0o755)
    generate(pending, "", generate_command=["./make"])
    assert (pending.folder.parent / "ran").read_text().strip() == str(pending.folder.parent)


@pytest.mark.parametrize(
    "output",
    [
        'npm error Missing script: "prisma:generate"',
        "ERR_PNPM_NO_SCRIPT  Missing script: prisma:generate",
        "None of the selected packages has a \"prisma:generate\" script",
        'No projects matched the filters in "/srv/easymo"',
    ],
)  # fmt: skip
def test_a_workspace_without_the_script_fails_even_when_its_tool_ends_well(pending, output):
    result = generate(pending, f"echo '{output}'; exit 0")
    assert "no script for" in result["msg"]
    assert "'generate_command'" in result["msg"]


def test_the_url_is_in_the_environment_alone_and_never_shown(pending, tmp_path):
    script = f"tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/argv; echo \"$DATABASE_URL\"; exit 1"
    result = generate(pending, script)
    password = pending.database["login_password"]
    assert password not in (tmp_path / "argv").read_text()
    assert password not in str(result)
    assert result["output"][0].startswith("****")


def test_the_generator_runs_after_migrations_and_not_without_them(pending):
    made = pending.folder.parent / "generated"
    script = "echo made a client; echo x >> generated"
    predicted = generate(pending, script, check=True)
    assert (predicted["generated"], made.exists()) == (True, False)
    done = generate(pending, script)
    assert (done["generated"], done["output"]) == (True, ["made a client"])
    assert generate(pending, script)["generated"] is False
    assert made.read_text() == "x\n"
    always = generate(pending, script, generate="always")
    assert (always["generated"], always["changed"]) == (True, False)
    assert generate(pending, script, generate="always", check=True)["generated"] is True
    assert made.read_text() == "x\nx\n"


def test_a_generator_that_fails_says_that_the_migrations_are_applied(pending):
    result = generate(pending, "echo no schema.prisma; exit 1")
    assert (result["reason"], result["applied"]) == ("GenerateFailed", [applied_as("a")])
    assert "The migrations are applied; run it by hand, or with generate=always." in result["msg"]
    assert pending.rows() == [("a", True, False, 1)]


def test_nothing_is_generated_when_a_migration_failed(pending):
    pending.write(b="SELECT nothing")
    generate(pending, "touch generated", additive_only=False)
    assert not Path(pending.folder.parent / "generated").exists()
