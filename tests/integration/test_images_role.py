"""The role images against the sandbox's registry, with a docker that only says what it was asked."""

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_text
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import UNPLANNED
from ansible_collections.easymo.deploy.plugins.modules import images, release, release_info
from sandbox.node.registry import digest
from tests.integration.conftest import NEW, SERVICE, Place
from tests.integration.plays import connection, play_on, run_plays

DOCKER = """#!{python}
import json, pathlib, sys
folder, argv = pathlib.Path(__file__).parent, sys.argv[1:]
with (folder / "asked.jsonl").open("a") as file:
    file.write(json.dumps(argv) + "\\n")
if argv[0] == "build":
    pathlib.Path(argv[argv.index("--iidfile") + 1]).write_text("sha256:built")
if argv[:2] == ["image", "inspect"]:
    assert argv[-1] == "sha256:built", argv
    print((folder / "pushed").read_text())
"""


@pytest.fixture
def docker(tmp_path) -> Path:
    """A folder for the PATH. `pushed` is what it says was pushed, `asked.jsonl` what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(DOCKER.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    (folder / "pushed").write_text(json.dumps([f"easymo/{SERVICE}@{digest(NEW)}"]))
    return folder


def asked(docker: Path) -> list[list[str]]:
    file = docker / "asked.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Player:
    """Plays the role in a namespace, with the fake docker first on the PATH."""

    def __init__(self, place: Place, registry: str, docker: Path, folder: Path) -> None:
        self._place = place
        self._registry = registry
        self._docker = docker
        self._folder = folder

    def play(self, *options: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        given = {
            "released_images": {SERVICE: NEW},
            "release_version": "2.0.0",
            "registry_url": self._registry,
            "release_checkout": "/srv",
            "kubernetes_connection": connection(self._place),
            **variables,
        }
        roles = ["easymo.deploy.images"]
        body = play_on(connection(self._place), vars=given, roles=roles)
        path = f"{self._docker}:{os.environ['PATH']}"
        return run_plays(self._folder, body, options=options, PATH=path)


@pytest.fixture
def player(world, place, docker, tmp_path) -> Player:
    place.run(release, name="2.0.0")
    return Player(place, world.facts("node")["registry_url"], docker, tmp_path)


def test_digests_are_looked_up_and_kept_in_the_record(player, place, docker):
    played = player.play()
    assert played.returncode == 0, played.stdout[-2000:]
    facts = place.run(release_info, name="2.0.0")["record"]["facts"]
    assert facts["images"][NEW] == {"digest": digest(NEW), "pinned": f"{NEW}@{digest(NEW)}"}
    again = player.play()
    assert "changed=0" in again.stdout
    assert asked(docker) == []


def test_all_that_are_missing_are_named_and_nothing_is_recorded(player, place):
    names = {SERVICE: NEW, "one": "easymo/one:v9", "two": "easymo/two:v9"}
    played = player.play(released_images=names)
    assert played.returncode != 0
    assert "easymo/one:v9, easymo/two:v9" in " ".join(played.stdout.split())
    assert place.run(release_info, name="2.0.0")["record"]["facts"] == {}


def test_where_no_registry_can_be_asked_the_record_and_the_report_say_so(player, place):
    away = {"release_check_images": False, "registry_url": "https://127.0.0.1:9"}
    told = player.play("--check", **away)
    assert told.returncode == 0, told.stdout[-2000:]
    assert "Images: digest not checked." in " ".join(told.stdout.split())
    assert place.run(release_info, name="2.0.0")["record"]["facts"] == {}

    assert player.play(**away).returncode == 0
    record = place.run(release_info, name="2.0.0")["record"]
    assert record["facts"]["images"] == {NEW: "digest not checked"}
    told = as_text(build_report(record, ReportOptions(plan=UNPLANNED)))
    assert "The registry was not checked for 1 image of 1." in told
    assert "changed=0" in player.play(**away).stdout

    assert player.play().returncode == 0
    record = place.run(release_info, name="2.0.0")["record"]
    assert record["facts"]["images"][NEW]["digest"] == digest(NEW)


def test_images_are_built_pushed_and_read_back(player, docker):
    told = player.play("--check", release_build_images=True)
    assert told.returncode == 0, told.stdout[-2000:]
    assert f"Would build {NEW} from /srv/services/{SERVICE}" in " ".join(told.stdout.split())
    assert asked(docker) == []

    played = player.play(release_build_images=True)
    assert played.returncode == 0, played.stdout[-2000:]
    build, push, inspect = asked(docker)
    assert (build[0], build[-3:]) == ("build", ["--tag", NEW, f"/srv/services/{SERVICE}"])
    assert push == ["push", NEW]
    assert inspect[:4] == ["image", "inspect", "--format", "{{json .RepoDigests}}"]


def test_a_tag_that_somebody_else_pushed_too_is_noticed(player, docker):
    (docker / "pushed").write_text(json.dumps([f"easymo/{SERVICE}@sha256:{'0' * 64}"]))
    played = player.play(release_build_images=True)
    assert played.returncode != 0
    assert "somebody else pushed that tag too" in " ".join(played.stdout.split())


def test_the_sandbox_registry_knows_what_its_node_can_pull(world, place):
    registry = world.facts("node")["registry_url"]
    found = place.run_bare(images, images=[NEW, f"{NEW}-crash"], registry=registry)
    assert found["images"][NEW]["digest"] == digest(NEW)
    by_digest = place.run_bare(images, images=[f"{NEW}@{digest(NEW)}"], registry=registry)
    assert not by_digest.get("failed")
    missing = place.run_bare(images, images=[f"{NEW}-nopull"], registry=registry)
    assert (missing["failed"], missing["reason"]) == (True, "ImageNotFound")
