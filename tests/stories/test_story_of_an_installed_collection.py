"""The collection as people have it: the built tarball, requirements.txt alone, and AWX's engine.

`scripts/oldest installed` makes the environment, without which this is skipped. The tests stand in the story's order.
What it deploys is a matter of the night: docs/installed.md is typed then as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from sandbox.names import SERVICES
from sandbox.world import World
from tests.stories.people import PATIENCE, ROOT

BIN = ROOT / ".venv-installed/bin"
pytestmark = pytest.mark.skipif(
    not BIN.exists(), reason="`scripts/oldest installed` makes the environment for it"
)
ANSWERS = {
    "release_watch_duration": 10,
    "release_smoke_people": True,
    "smoke_tests_answered_by": "a survey",
    "smoke_tests_answers": {"phone": "yes", "dashboard": "yes"},
}
"""What a survey would ask."""
SCREEN = {"ANSIBLE_STDOUT_CALLBACK": "easymo.deploy.console"}
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


class Runner:
    """A private data directory, https://ansible.readthedocs.io/projects/runner/en/stable/intro/."""

    world: World | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / "home"
        self.project = folder / "project"
        for path in (self._home, self.project, folder / "env"):
            path.mkdir()

    def command(self, program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """On a machine that knows of no checkout."""
        return subprocess.run(
            [BIN / program, *words],
            cwd=self.project,
            env={
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "HOME": str(self._home),
                "LC_ALL": "C.UTF-8",
                **({"EASYMO_SANDBOX_STATE": str(self.world.directory)} if self.world else {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def plays(self, playbook: str, **variables: t.Any) -> Job:
        given, name = json.dumps(variables), playbook.replace("/", "_")
        (self.folder / "env/extravars").write_text(given, encoding="utf-8")
        self.command(
            "ansible-runner", "run", self.folder, "--playbook", playbook, "--ident", name,
            "--inventory", self.project / "inventories/sandbox", "--quiet",
        )  # fmt: skip
        return Job(self.folder / "artifacts" / name)


class Job:
    """What ansible-runner keeps of a run."""

    def __init__(self, artifacts: Path) -> None:
        self.status = (artifacts / "status").read_text("utf-8")
        self.output = (artifacts / "stdout").read_text("utf-8")
        files = (artifacts / "job_events").glob("*.json")
        self.events = [json.loads(path.read_text("utf-8")) for path in files]

    def hosts(self) -> set[str]:
        """Those that its statistics count as done."""
        (stats,) = (one for one in self.events if one["event"] == "playbook_on_stats")
        return set(stats["event_data"]["ok"])


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Runner:
    """As docs/installed.md says, word for word."""
    runner = Runner(tmp_path_factory.mktemp("installed"))
    build = subprocess.run(
        [BIN / "ansible-galaxy", "collection", "build", "--output-path", runner.folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    (tarball,) = runner.folder.glob("easymo-deploy-*.tar.gz")
    installed = runner.command(
        "ansible-galaxy", "collection", "install", "--offline", "-p", "collections", tarball
    )
    assert installed.returncode == 0, installed.stderr
    page = (ROOT / "docs/installed.md").read_text("utf-8")
    (settings,) = re.findall(r"```ini\n(.*?)```", page, re.S)
    (runner.project / "ansible.cfg").write_text(settings, encoding="utf-8")
    # ansible-runner puts its own in front of the one of ansible.cfg, and wraps the one of the environment.
    (runner.folder / "env/envvars").write_text(json.dumps(SCREEN), encoding="utf-8")
    shutil.copytree(ROOT / "inventories", runner.project / "inventories", symlinks=True)
    return runner


@pytest.fixture(scope="module")
def deployed(runner, operator, world) -> Job:
    runner.world = world
    assert operator.sandbox("traffic", "start", "--rate", "5").rc == 0
    return runner.plays("easymo.deploy.deploy_v2", **ANSWERS)


def test_the_tarball_has_no_dead_link_in_its_documents(runner):
    collection = runner.project / "collections/ansible_collections/easymo/deploy"
    dead = [
        f"{page.relative_to(collection)}: {link}"
        for page in [collection / "README.md", *collection.glob("docs/*.md")]
        for link in LINK.findall(page.read_text("utf-8"))
        if not link.startswith(("https://", "http://")) and not (page.parent / link).exists()
    ]
    assert dead == []


def test_its_playbooks_are_found_by_their_names(runner):
    listed = runner.command(
        "ansible-playbook", "easymo.deploy.deploy_v2", "--list-tasks", "-i", "inventories/example"
    )
    assert listed.returncode == 0, listed.stderr
    assert "easymo.deploy.release_phase : Open the phase" in listed.stdout


@pytest.mark.nightly
def test_it_deploys_by_its_name(deployed, witness):
    assert deployed.status == "successful", deployed.output[-4000:]
    assert witness.images() == dict.fromkeys(SERVICES, "v2.0.0")
    assert deployed.hosts() >= {"localhost", *SERVICES}


@pytest.mark.nightly
def test_its_callbacks_are_on(deployed, runner, witness, world):
    assert "✓ DEPLOYED in" in deployed.output
    assert "TASK [" not in deployed.output
    # The callback's own message; the others are announcements.
    told = [one["text"] for one in witness.received()["slack"]["v2-deployment"]]
    assert sum("attempt 1" in text for text in told) == 1
    assert (runner.project / ".deploy/2.0.0/journal.jsonl").stat().st_size > 0
    assert (world.directory / "report/2.0.0/report.html").exists()


@pytest.mark.nightly
def test_what_it_says_to_type_next_is_its_name(deployed):
    (following,) = re.findall(r"^  next +(\S+) (\S+)", deployed.output, re.MULTILINE)
    assert following[1] == "easymo.deploy.ramp"


@pytest.mark.nightly
def test_it_goes_back_by_the_path_that_a_job_template_names(deployed, runner, witness):
    (template,) = [one for one in templates(runner) if one["name"].endswith("Rollback")]
    answers = {"reason": "a rehearsal", "by": "Jane Doe"}
    assert set(answers) == {one["variable"] for one in template["survey_spec"]["spec"]}
    back = runner.plays(template["playbook"], **answers)
    assert back.status == "successful", back.output[-4000:]
    assert witness.images() == dict.fromkeys(SERVICES, "v1.9.0")


def templates(runner: Runner) -> list[dict[str, t.Any]]:
    folder = runner.project / "collections/ansible_collections/easymo/deploy/docs/awx"
    return yaml.safe_load((folder / "job_templates.yml").read_text("utf-8"))


def test_the_job_templates_of_awx_name_what_is_there(runner):
    assert [
        one["playbook"]
        for one in templates(runner)
        if not (runner.project / one["playbook"]).exists()
    ] == []
    folder = runner.project / "collections/ansible_collections/easymo/deploy/playbooks/group_vars"
    known = yaml.safe_load((folder / "all/wiring.yml").read_text("utf-8"))
    asked = {
        question["variable"]
        for one in templates(runner)
        for question in one.get("survey_spec", {}).get("spec", [])
    }
    assert asked - set(known) == set()
