"""Roles alone, in what no story runs, as their folders' playbooks use them: in check mode, for real, and again.

A folder has `converge.yml`; some have `prepare.yml` for before, `side_effect.yml` for after, and `cleanup.yml` for the
end. Its tests then look with other tools than ours. Releases, databases and backups of a scenario have names that
begin as RELEASES, DATABASES and BACKUPS say, and are removed by them.
"""

import json
import re
import typing as t
from pathlib import Path

import pytest

from sandbox.world import World
from tests.ansible_playbook import run_playbook
from tests.integration.backups import keys
from tests.integration.role_scenarios.witness import Witness
from tests.integration.running import bucket, client

CHANGED = re.compile(r"changed=([1-9]\d*)")
FOLDER = "ROLE_TEST_FOLDER"
"""Names a folder to the playbooks in which they leave what the tests read."""
RELEASES, DATABASES, BACKUPS = "release-2.0.0-test-role-", "test_role_", "test-role-"


@pytest.fixture(scope="module", autouse=True)
def folder(world, witness, tmp_path_factory, request) -> t.Iterator[Path]:
    """What the playbooks left, once the role was converged."""
    here, left = request.path.parent, tmp_path_factory.mktemp(request.path.parent.name)

    def play(name: str, *options: str) -> str:
        playbook = here / f"{name}.yml"
        if not playbook.exists():
            return ""
        done = run_playbook(
            playbook,
            "-i",
            "inventories/sandbox",
            *options,
            EASYMO_SANDBOX_STATE=str(world.directory),
            **{FOLDER: str(left)},
        )
        assert done.returncode == 0, f"{name} {options}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
        return done.stdout

    try:
        play("prepare")
        play("converge", "--check")
        play("converge")
        again = play("converge")
        assert not CHANGED.search(again), f"A second run changed something: {again[-3000:]}"
        play("side_effect")
        yield left
    finally:
        play("cleanup")
        remove_all(world, witness)


def remove_all(world: World, witness: Witness) -> None:
    """What a scenario left under its names."""
    names = [one["metadata"]["name"] for one in witness.read("configmaps")["items"]]
    if records := [name for name in names if name.startswith(RELEASES)]:
        witness.kubectl(f"delete configmap {' '.join(records)}")
    made = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{DATABASES}')"
    for name in witness.psql("postgres", made):
        witness.psql("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')
    options = bucket(world, BACKUPS)
    for key in keys(options):
        client(options).delete_object(Bucket=options["bucket"], Key=key)


@pytest.fixture(scope="session")
def witness(world) -> Witness:
    return Witness(json.loads(world.state_file.read_text(encoding="utf-8"))["components"])
