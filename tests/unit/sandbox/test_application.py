"""The application's repository and staging's results, as whoever releases finds them."""

import json
import shutil
import subprocess
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sandbox import application
from sandbox.application import application_files
from sandbox.world import World


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def content(where: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(where)): path.read_bytes()
        for path in where.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(where).parts
    }


def test_the_checkout_is_main_at_the_releases_tag_and_clean(world):
    commit = application.prepare(world)
    clone = application.folder(world) / "v2.0.0"
    assert git(clone, "rev-parse", "main", "origin/main", "v2.0.0^{commit}").split() == [commit] * 3
    assert git(clone, "status", "--porcelain") == ""
    assert content(clone) == application_files("2.0.0")
    assert "## 2.0.0" in git(clone, "show", "--format=", "HEAD", "--", "CHANGELOG.md")
    assert git(clone, "ls-remote", "origin", "refs/heads/main").split()[0] == commit


def test_the_previous_version_lies_beside_it(world):
    application.prepare(world)
    older = application.folder(world) / "v1.9.0"
    assert content(older) == application_files("1.9.0")
    assert git(older, "describe", "--tags") == "v1.9.0"


def test_every_sandbox_has_the_same_commits_whatever_git_is_told(world, tmp_path, monkeypatch):
    first = application.prepare(world)
    (tmp_path / ".gitconfig").write_text("[core]\n autocrlf = true\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    other = World(tmp_path / "other")
    assert application.prepare(other) == first
    clone = application.folder(other) / "v2.0.0"
    assert content(clone) == application_files("2.0.0")
    assert application.prepare(world) == first


@pytest.mark.parametrize(
    ("tag", "tree"),
    [
        ("v1.9.0", "8180f2e5dee9a9a404145a2f301c6075582c6070"),
        ("v2.0.0", "2fa6fdf729a652413564058324cba4d52576b0b6"),
    ],
)
def test_each_version_has_its_files_byte_by_byte(world, tag, tree):
    """Git's id of a tree is a hash of the names and contents of all its files."""
    application.prepare(world)
    assert git(application.folder(world) / "v2.0.0", "rev-parse", f"{tag}^{{tree}}") == tree


def test_without_git_the_files_are_there_alone(world, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert application.prepare(world) == ""
    for version in ("1.9.0", "2.0.0"):
        here = application.folder(world) / f"v{version}"
        assert content(here) == application_files(version)


def test_stagings_results_are_the_runbooks_numbers_about_this_commit(tmp_path):
    application.write(tmp_path, "2.0.0", "a" * 40)

    def suite(name: str) -> tuple[int, dict[str, t.Any]]:
        (read,) = ElementTree.parse(tmp_path / f"{name}.xml").getroot()
        told = {one.get("name", ""): one.get("value") for one in read.iter("property")}
        names = {(case.get("classname"), case.get("name")) for case in read.iter("testcase")}
        assert read.get("tests") == str(len(names))
        return len(names), told

    (units, about), (synthetic, _) = suite("unit"), suite("synthetic")
    assert (units, synthetic) == (84, 21)
    load = json.loads((tmp_path / "load-test.json").read_text("utf-8"))
    for told in (about, load):
        assert (told["version"], told["commit"]) == ("2.0.0", "a" * 40)
        assert "rehearsal" in told["note"]
    assert (load["users"], load["error_rate"] < 0.02, load["p95_seconds"] < 1) == (100, True, True)
    assert load["error_rate"] == pytest.approx(load["errors"] / load["requests"], rel=0.01)
