"""A run with everything turned up that tells, and all the places in which somebody could learn a secret.

The sandbox makes its secrets anew for each platform, and they are looked for by their values in all forms.
"""

import json
import os
import subprocess
import typing as t
import uuid
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox.world import World
from tests.leaks import CommandLines, Secrets, leaked, unpacked
from tests.stories.counts import Counts, counting
from tests.stories.people import BIN, PATIENCE, ROOT, Run, Witness
from tests.victims import MARK

SECRETS_FILE = ROOT / "inventories/sandbox/group_vars/all/secrets_of_the_sandbox.yml"
WRONG_SECRETS = Path("tests/stories/playbooks/wrong_secrets.yml")
PLANTED_ELSEWHERE = ("planted_webhook", "planted_routing_key", "planted_smtp_password")
WEBHOOK = "https://hooks.slack.com/services/T0PLANTED/B0PLANTED/pLaNtEdWebhook+42"
PLANTED = {
    "secret_registry_user": "robot",
    "secret_registry_password": "pL4nt%ed registry/p@ss+word",
}


def sandbox_secrets(world: World) -> dict[str, str]:
    """Every secret of the inventory that has a value, by the inventory's name for it."""
    state = {name: world.facts(name) for name in ("kubernetes", "supabase", "postgres", "valkey")}
    state |= {name: world.facts(name) for name in ("seaweedfs", "gateway", "sinks")}
    found = {}
    for name, template in yaml.safe_load(SECRETS_FILE.read_text("utf-8")).items():
        value: t.Any = {"sandbox": state}
        for part in template.strip("{} ").split(".") if template else ():
            value = value[part]
        if template:
            found[name] = str(value)
    return found


@dataclass(frozen=True)
class Told:
    """What an operator saw of a run, and all that it left and showed, by where it was seen."""

    run: Run
    places: t.Mapping[str, str]
    counts: Counts

    def leaks(self, secrets: Secrets) -> dict[str, set[str]]:
        found = {place: leaked(text, secrets) for place, text in self.places.items()}
        return {place: names for place, names in found.items() if names}


class Talkative:
    """Runs a playbook at -vvv with log and journal, and watches the command lines of all its processes."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder

    def plays(self, playbook: Path, variables: t.Mapping[str, str], *arguments: str) -> Told:
        """The variables come from a file: on the command line everybody would see them."""
        given = self._folder / "variables.yml"
        given.write_text(yaml.safe_dump(dict(variables)))
        log, journal = self._folder / "ansible.log", self._folder / "journal.jsonl"
        mark = uuid.uuid4().hex
        environment = {
            **os.environ,
            MARK: mark,
            "EASYMO_SANDBOX_STATE": str(self._world.directory),
            **counting(self._folder),
            "EASYMO_DEPLOY_SLACK_WEBHOOK_URL": WEBHOOK,
            "ANSIBLE_LOG_PATH": str(log),
        }
        argv = [BIN / "ansible-playbook", playbook, "-i", "inventories/sandbox"]
        with CommandLines(mark) as lines:
            ended = subprocess.run(
                [*argv, "-vvv", "-e", f"@{given}", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        given.unlink()
        assert len(lines.seen) > 1, "the processes of the run were not seen"
        run = Run(ended.returncode, ended.stdout + ended.stderr)
        places = {
            "terminal": run.output,
            "log": log.read_text("utf-8"),
            "journal": journal.read_text("utf-8"),
            "command lines": "\n".join(lines.seen),
        }
        return Told(run, {**places, **self._kept()}, Counts.of(self._folder))

    def _kept(self) -> dict[str, str]:
        """What people were told, what the record holds, and the files of the report."""
        witness = Witness(self._world)
        maps = witness.reads("configmaps")
        record = [
            unpacked(value)
            for one in maps
            for part in ("data", "binaryData")
            for value in (one.get(part) or {}).values()
        ]
        report = self._world.directory / "report"
        files = {
            f"report {path.name}": path.read_text("utf-8", errors="replace")
            for path in report.rglob("*")
            if path.is_file()
        }
        return {
            "messages": json.dumps(witness.received()),
            "record": "\n".join([json.dumps(maps), *record]),
            **files,
        }


def secrets_of(world: World) -> Secrets:
    """All that a run is given; a login's name is none."""
    found = {**sandbox_secrets(world), **PLANTED, "slack_webhook": WEBHOOK}
    return Secrets({name: value for name, value in found.items() if not name.endswith("_user")})


def wrong_secrets() -> Secrets:
    """For each of the inventory, and those that WRONG_SECRETS itself plants, something that opens nothing."""
    listed = [*yaml.safe_load(SECRETS_FILE.read_text("utf-8")), *PLANTED_ELSEWHERE]
    return Secrets({name: f"wr0ng+{number}%/{name[::-1]}" for number, name in enumerate(listed)})
