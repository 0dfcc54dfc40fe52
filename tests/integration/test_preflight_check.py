"""Preflight against real programs and servers: git, TLS and the sandbox's services."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import preflight_check, release, release_info
from tests.integration.conftest import Place

Row = dict[str, t.Any]
TOKEN = "a-token-that-is-no-secret"
AUTHOR = {
    "GIT_AUTHOR_NAME": "Jane Doe",
    "GIT_AUTHOR_EMAIL": "jane@easymo.example",
    "GIT_COMMITTER_NAME": "Jane Doe",
    "GIT_COMMITTER_EMAIL": "jane@easymo.example",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


@pytest.fixture
def nowhere() -> Place:
    """For checks that ask no cluster."""
    return Place("", "")


def check(place: Place, *checks: Row, **params: t.Any) -> dict[str, Row]:
    """The rows by name. Nothing raises, whatever is wrong."""
    given = {"release": "2.0.0", "checks": list(checks), **params}
    result = place.run_bare(preflight_check, **given)
    assert "results" in result, result
    return {row["name"]: row for row in result["results"]}


def of(kind: str, name: str = "", **given: t.Any) -> Row:
    return {"name": name or kind, "kind": kind, kind: given}


# Git


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "migrations").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("CHANGELOG.md", "# Changelog\n\n## 2.0.0\n")

    @classmethod
    def clone(cls, other: Repository, tag: str) -> Repository:
        """Of the tag alone, as CI makes one."""
        made = cls.__new__(cls)
        made.folder = other.folder.with_name("clone")
        where = ("--branch", tag, "--depth", "1", f"file://{other.folder}", str(made.folder))
        other.git("-c", "advice.detachedHead=false", "clone", "--quiet", *where)
        return made

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env={**os.environ, **AUTHOR},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        self.git("add", name)
        self.git("commit", "--quiet", f"--message={name}")


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path / "checkout")


def look_at(nowhere: Place, repository: Repository) -> dict[str, str]:
    deployed = [str(repository.folder / "migrations"), "/elsewhere"]
    git = of("git", tag="v2.0.0", deployed=deployed)
    rows = check(nowhere, git, checkout=str(repository.folder))
    return {name.removeprefix("git_"): row["status"] for name, row in rows.items()}


def types(nowhere: Place, repository: Repository, part: str) -> None:
    """What the row of that part tells to type."""
    rows = check(nowhere, of("git", tag="v2.0.0"), checkout=str(repository.folder))
    (printed,) = re.findall(r"'git ([^']+)'", rows[f"git_{part}"]["detail"])
    repository.git(*printed.split())


def test_a_checkout_on_its_way_to_the_release(nowhere, repository):
    assert look_at(nowhere, repository) == {
        "tag": "fail", "branch": "hold", "clean": "pass", "changelog": "pass",
    }  # fmt: skip
    repository.git("tag", "v2.0.0")
    good = dict.fromkeys(("tag", "branch", "clean", "changelog"), "pass")
    assert look_at(nowhere, repository) == good
    (repository.folder / "stray").touch()
    assert look_at(nowhere, repository) == {**good, "clean": "fail"}
    types(nowhere, repository, "clean")
    assert look_at(nowhere, repository) == good
    repository.write("stray", "and now it is committed")
    assert look_at(nowhere, repository) == {**good, "tag": "fail"}
    types(nowhere, repository, "tag")
    assert look_at(nowhere, repository) == good


def test_a_clone_of_the_tag_alone_learns_the_branch_by_what_is_printed(nowhere, repository):
    repository.git("tag", "v2.0.0")
    repository.write("later", "")
    clone = Repository.clone(repository, "v2.0.0")
    assert look_at(nowhere, clone)["branch"] == "hold"
    types(nowhere, clone, "branch")
    assert look_at(nowhere, clone)["branch"] == "pass"
    clone.git("update-ref", "-d", "refs/remotes/origin/main")
    shallow = "main:refs/remotes/origin/main"
    clone.git("fetch", "--quiet", "--depth", "1", "origin", shallow)
    assert look_at(nowhere, clone)["branch"] == "hold"
    types(nowhere, clone, "branch")
    assert look_at(nowhere, clone)["branch"] == "pass"
    clone.git("tag", "--delete", "v2.0.0")
    types(nowhere, clone, "tag")
    assert look_at(nowhere, clone)["tag"] == "pass"


@pytest.mark.parametrize("hides", ["exclude", "--assume-unchanged", "--skip-worktree", "a link"])
def test_what_git_is_told_not_to_see_is_seen_where_it_is_deployed(nowhere, repository, hides):
    first, ninth = (repository.folder / "migrations" / name for name in ("1.sql", "9.sql"))
    repository.write("migrations/1.sql", "SELECT 1;")
    repository.git("tag", "v2.0.0")
    assert look_at(nowhere, repository)["clean"] == "pass"
    exclude = repository.folder / ".git" / "info" / "exclude"
    exclude.write_text("9.sql\nkept/\n", "utf-8")
    (repository.folder / "kept").mkdir()
    if hides == "exclude":
        ninth.write_text("DROP TABLE users;", "utf-8")
    elif hides == "a link":
        ninth.symlink_to(first)
    else:
        repository.git("update-index", hides, "migrations/1.sql")
        first.write_text("SELECT 2;", "utf-8")
    assert look_at(nowhere, repository)["clean"] == "fail"


def test_a_file_that_was_renamed_is_told_by_its_names(nowhere, repository):
    repository.write("file 1", "x")
    repository.git("mv", "file 1", "renamed")
    rows = check(nowhere, of("git", tag="v2.0.0"), checkout=str(repository.folder))
    assert " has uncommitted files: file 1, renamed;" in rows["git_clean"]["detail"]


def test_a_tag_beside_the_branch_is_not_in_it(nowhere, repository):
    repository.git("checkout", "--quiet", "-b", "beside")
    repository.write("beside", "")
    repository.git("tag", "--annotate", "v2.0.0", "--message=it")
    assert look_at(nowhere, repository)["branch"] == "fail"


def test_a_folder_that_is_no_work_tree_of_its_own_says_how_to_make_one(
    nowhere, repository, tmp_path
):
    inner = repository.folder / "inner"
    inner.mkdir()
    for folder in (inner, tmp_path):
        row = check(nowhere, of("git", tag="v2.0.0"), checkout=str(folder))["git"]
        assert row["status"] == "fail"
        assert "'git clone' or 'git worktree add'" in row["detail"]


def test_what_the_checkout_configures_is_not_run(nowhere, repository):
    """Whoever may write there could otherwise run what they like as the deployer."""
    repository.git("tag", "v2.0.0")
    mark = repository.folder.parent / "ran"
    program = repository.folder.parent / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(program))
    assert look_at(nowhere, repository)["clean"] == "pass"
    assert not mark.exists()


# The sandbox's services


def test_the_services_around_a_release(nowhere, world):
    sinks, kubernetes = world.facts("sinks"), world.facts("kubernetes")
    database = world.facts("postgres")
    at = f"{database['host']}:{database['port']}"
    slack = {"api_url": sinks["slack_api_url"], "token": sinks["slack_bot_token"]}
    pager = {"api_url": sinks["pagerduty_api_url"], "token": sinks["pagerduty_token"]}
    github = {"api_url": sinks["github_api_url"], "token": sinks["github_token"],
              "repository": sinks["github_repository"]}  # fmt: skip
    alerts = {"prometheus": {"url": world.facts("prometheus")["url"]},
              "alertmanager": {"url": world.facts("alertmanager")["url"]}}  # fmt: skip
    server, ca = kubernetes["server"], kubernetes["ca_cert"]
    rows = check(
        nowhere,
        of("slack", "people", **slack, people=["@on-call", "@kwame", "grace@easymo.example"]),
        of("slack", "gone", **slack, people=["U0GONE0001"], channels=["#general"]),
        of("slack", "bad_token", **{**slack, "token": "xoxb-other"}, people=["@on-call"]),
        of("pagerduty", "on_call", **pager, schedules=[sinks["pagerduty_schedule"]], minutes=150),
        of("pagerduty", "no_schedule", **pager, schedules=["PNOBODY"], minutes=1),
        of("commit_status", "ci", **github, contexts=["ci/unit", "ci/build"]),
        of("commit_status", "ci_skipped", **github, contexts=["docs"]),
        of("commit_status", "ci_no_enterprise", **{**github, "api_url": sinks["url"]}),
        of("commit_status", "ci_more", **github, contexts=["ci/e2e"]),
        of("alert_rules", "alerts", **alerts, alerts=["Service Down"]),
        of("alert_rules", "no_alert", **alerts, alerts=["Nobody Home"]),
        of("clock", "clock", url=f"{server}/version", ca_cert=ca),
        of("certificate", "tls", url=server, ca_cert=ca),
        of("certificate", "tls_other_ca", url=server),
        of("certificate", "postgres", url=f"postgresql://{at}", ca_cert=database["ca_cert"]),
        of("certificate", "postgres_other_ca", url=f"postgresql://{at}"),
        of("certificate", "for_ever", url=server, ca_cert=ca, days=10**6),
        of("certificate", "plain", url="http://127.0.0.1/"),
        of("certificate", "nobody", url="https://127.0.0.1:9"),
        commit=sinks["commit"],
        timeout=30,
    )
    found = {name: row["status"] for name, row in rows.items()}
    assert found == {
        "people": "pass", "gone": "fail", "bad_token": "fail",
        "on_call": "pass", "no_schedule": "fail",
        "ci": "pass", "ci_skipped": "hold", "ci_no_enterprise": "hold", "ci_more": "hold",
        "alerts": "pass", "no_alert": "fail",
        "clock": "pass",
        "tls": "pass", "tls_other_ca": "fail", "postgres": "pass", "postgres_other_ca": "fail",
        "for_ever": "fail", "plain": "skipped", "nobody": "hold",
    }, rows  # fmt: skip
    told = json.dumps(rows)
    assert "PNOBODY" in told
    for secret in (slack["token"], pager["token"], github["token"], "xoxb-other"):
        assert secret not in told


@pytest.fixture
def silent() -> t.Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_s3_that_hangs_is_told_before_anybody_loses_patience(nowhere, silent):
    keys = {"access_key": "nobody", "secret_key": TOKEN}
    where = {"bucket": "backups", "endpoint_url": silent, "path_style": True, **keys}
    backups = of("backup_age", **where, names=["supabase_prod"])
    began = time.monotonic()
    row = check(nowhere, backups, timeout=1)["backup_age"]
    # A backup itself would try for five minutes.
    assert time.monotonic() - began < 60
    assert row["status"] == "hold"
    assert f"S3 at {silent} cannot be reached" in row["detail"]


def test_a_slack_that_hangs_can_be_released_by_name_and_reason(place, silent):
    where = {"kubeconfig": place.kubeconfig, "namespace": place.namespace}
    people = of("slack", "people_in_slack", api_url=silent, token=TOKEN, people=["U0ONCALL01"])

    def look(*, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
        given = {"release": "2.0.0", "checks": [people], "timeout": 1, **where, **params}
        return place.run_bare(preflight_check, check_mode=check_mode, **given)

    for held in (look(), look(check_mode=True)):
        assert (held["failed"], held["reason"], held["verdict"]) == (True, "Hold", "hold")
        assert "U0ONCALL01 cannot be looked up: Slack did not answer within" in held["msg"]
    waivers = json.loads(held["msg"].split("-e '")[1].split("'")[0])["release_waivers"]
    waivers["people_in_slack"].update(by="Jane Doe", reason="Slack is down")

    assert look(waivers=waivers, check_mode=True)["verdict"] == "go"
    released = look(waivers=waivers)
    assert (released["verdict"], released["results"][0]["status"]) == ("go", "waived")
    place.run(release, name="2.0.0", facts=released["facts"])
    record = place.run(release_info, name="2.0.0")["record"]
    kept = record["facts"]["overrides"]["people_in_slack"]
    assert (kept["by"], kept["reason"]) == ("Jane Doe", "Slack is down")
    assert not place.run(release, name="2.0.0", facts=look(waivers=waivers)["facts"])["changed"]
