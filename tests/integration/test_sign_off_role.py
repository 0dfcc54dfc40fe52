"""The report of any record by the role, as playbooks/report.yml has it made: none, damaged, of a run that died."""

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import deploy_lock, release
from tests.integration.conftest import Place
from tests.integration.plays import ALONE, connection, play_on, run_plays

TOKEN = "xoxb-000000000000-fake"


def report_of(name: str, folder: Path, **variables: t.Any) -> dict[str, t.Any]:
    """A task that includes the role."""
    return {
        "name": f"Report of {name}",
        "ansible.builtin.include_role": {"name": "easymo.deploy.sign_off", "tasks_from": "report"},
        "vars": {
            **ALONE,
            "release_version": name,
            "report_directory": str(folder / name),
            **variables,
        },
    }


def forced(folder: Path) -> list[dict[str, t.Any]]:
    """Takes the deploy lock from whoever set it by hand, opens a phase under it, and reports."""

    def part(tasks_from: str) -> dict[str, t.Any]:
        role = {"name": "easymo.deploy.release_phase", "tasks_from": tasks_from}
        given = {
            **ALONE,
            "release_version": "forced",
            "release_phase_name": "database",
            "release_phase_changing": ["database"],
            "deploy_lock_force": True,
            "reason": "joe sleeps",
            "report_directory": str(folder / "forced"),
        }
        return {"name": tasks_from, "ansible.builtin.include_role": role, "vars": given}

    return [part("lock"), report_of("forced", folder), part("unlock")]


class Player:
    def __init__(self, place: Place, folder: Path) -> None:
        self._folder = folder
        away = {"kubeconfig": str(folder / "none"), "namespace": "x"}
        guarded = {
            "block": [report_of("none", folder, report_directory=str(folder / "away"))],
            "rescue": [
                {"ansible.builtin.debug": {"msg": "Without the cluster there is no report."}}
            ],
        }
        reports = [report_of(name, folder) for name in ("none", "damaged", "partial", "dead")]
        self._plays = [
            play_on(kubernetes, vars={"kubernetes_connection": kubernetes}, tasks=tasks)
            for kubernetes, tasks in (
                (connection(place), reports),
                (connection(place), forced(folder)),
                (away, [guarded]),
            )
        ]

    def play(self) -> subprocess.CompletedProcess[str]:
        return run_plays(self._folder, *self._plays)

    def report_again(self) -> subprocess.CompletedProcess[str]:
        """Without the run that takes the lock, which another record tells of each time."""
        return run_plays(self._folder, self._plays[0])

    def text(self, name: str) -> str:
        return (self._folder / name / "report.txt").read_text(encoding="utf-8")


def stored(place: Place, name: str, content: str) -> None:
    """A record that something else than this collection wrote."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"release-{name}"},
        "data": {"record.json": content},
    }
    place.kubectl("apply", "-f", "-", stdin=json.dumps(body))


@pytest.fixture
def player(place, tmp_path) -> Player:
    stored(place, "damaged", '{"version": "damaged", "phases')
    stored(
        place,
        "partial",
        json.dumps(
            {"version": "partial", "status": "done", "phases": {"database": {"status": "done"}}}
        ),
    )
    place.run(
        release, name="dead", phase="database", phase_status="running", notes=[f"token: {TOKEN}"]
    )
    place.run(deploy_lock, manual=True, reason="I look into it", holder="joe")
    return Player(place, tmp_path)


def test_every_record_makes_a_report_that_says_what_is_missing(player, tmp_path):
    played = player.play()
    assert played.returncode == 0, played.stdout[-3000:]
    assert "Release none has no record." in player.text("none")
    assert "has no valid release record" in player.text("damaged")
    # Of what is JSON at least, what can be read is told.
    assert player.text("partial").startswith("✓ DEPLOYED  Release partial")
    assert "has no valid release record" in player.text("partial")
    dead = player.text("dead")
    assert "Release dead in Database (1 of 1) since " in dead
    assert "no end is recorded" in dead
    assert "Not signed: qa." in dead
    assert TOKEN not in "".join(path.read_text() for path in (tmp_path / "dead").iterdir())
    assert not (tmp_path / "away").exists(), "a report was written without asking the cluster"
    assert "Without the cluster there is no report." in played.stdout
    assert "The deploy lock was taken by force from joe" in player.text("forced")
    assert "Why: joe sleeps." in player.text("forced")

    mine = tmp_path / "dead" / "lessons.md"
    mine.write_text(mine.read_text(encoding="utf-8") + "\nWe pack lighter.\n", encoding="utf-8")
    again = player.report_again()
    assert again.returncode == 0, again.stdout[-3000:]
    assert "changed=0" in again.stdout
    assert mine.read_text(encoding="utf-8").endswith("We pack lighter.\n")
