"""Plays of a test's own over the namespace of the test, and runs that go on until they are told to end."""

import contextlib
import os
import subprocess
import typing as t
from pathlib import Path

import psutil
import yaml

from tests.ansible_playbook import PROGRAM, ROOT, run_playbook
from tests.integration.conftest import Place

Task = dict[str, t.Any]
PLAY: t.Mapping[str, t.Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False}


def connection(place: Place) -> dict[str, t.Any]:
    """The options of the doc fragment _kubernetes."""
    return {"kubeconfig": place.kubeconfig, "namespace": place.namespace}


def play_on(kubernetes: dict[str, t.Any], **parts: t.Any) -> dict[str, t.Any]:
    """`parts` are `tasks`, `roles`, `vars`."""
    return {**PLAY, "module_defaults": {"group/easymo.deploy.kubernetes": kubernetes}, **parts}


def run_plays(
    folder: Path, *plays: dict[str, t.Any], options: t.Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    file = folder / "play.yml"
    file.write_text(yaml.safe_dump(list(plays)), encoding="utf-8")
    return run_playbook(file, *options, **environment)


def run_role(
    role: str,
    place: Place,
    folder: Path,
    *options: str,
    flags: t.Mapping[str, t.Any] | None = None,
    **variables: t.Any,
) -> subprocess.CompletedProcess[str]:
    """One of this collection. `flags` are the module_defaults of that group."""
    body = play_on(connection(place), vars=variables, roles=[f"easymo.deploy.{role}"])
    body["module_defaults"]["group/easymo.deploy.flags"] = dict(flags or {})
    return run_plays(folder, body, options=options)


class Player:
    """An ansible-playbook that works on, before the `last` of its tasks, until it is told to end."""

    def __init__(self, folder: Path, name: str, tasks: t.Sequence[Task], *last: Task) -> None:
        folder.mkdir(exist_ok=True)
        self.go, self.output = folder / f"{name}.go", folder / f"{name}.txt"
        self.go.touch()
        work = {"ansible.builtin.wait_for": {"path": str(self.go), "state": "absent"}}
        play = {**PLAY, "tasks": [*tasks, {"name": "Work", **work}, *last]}
        playbook = folder / f"{name}.yml"
        playbook.write_text(yaml.safe_dump([play]))
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [PROGRAM, str(playbook)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            )

    def said(self) -> str:
        return " ".join(self.output.read_text(errors="replace").split())

    def ends(self) -> int:
        self.go.unlink(missing_ok=True)
        return self.process.wait(60)

    def dies(self) -> None:
        """With its workers, each of which is a session of its own, and what they run."""
        workers = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        self.process.wait(60)
