"""The window closes while a phase runs: that one goes on, and the next that changes something does not begin."""

import typing as t
from pathlib import Path

import yaml

from ansible_collections.easymo.deploy.plugins.modules import release_info
from tests.ansible_playbook import ROOT
from tests.integration.conftest import Place
from tests.integration.plays import ALONE, connection, play_on, run_plays

OPEN = {"timezone": "Africa/Nairobi"}
CLOSED = {**OPEN, "freezes": [{"from": "2020-01-01", "to": "2999-12-31", "why": "it is over"}]}
OVERRULED = {
    "release_window_override": True,
    "by": "Jane Doe",
    "reason": "the fix cannot wait",
}


WIRING = ROOT / "playbooks/group_vars/all/wiring.yml"
CHANGING = yaml.safe_load(WIRING.read_text(encoding="utf-8"))["release_phase_changing"]


def begins(phase: str, **variables: t.Any) -> dict[str, t.Any]:
    """Tasks that note whether the phase might begin."""
    lock = {"name": "easymo.deploy.release_phase", "tasks_from": "lock"}
    opened = {"name": "easymo.deploy.release_phase"}
    given = {"release_phase_name": phase, "release_launch_window": CLOSED, **variables}

    def report(what: str) -> dict[str, t.Any]:
        return {"ansible.builtin.debug": {"msg": f"{what} {phase}"}}

    return {
        "block": [
            {"ansible.builtin.include_role": lock, "vars": given},
            {"ansible.builtin.include_role": opened, "vars": given},
            report("begun"),
        ],
        "rescue": [
            report("refused"),
            {"ansible.builtin.debug": {"var": "ansible_failed_result.msg"}},
        ],
    }


def play(
    place: Place, folder: Path, *tasks: dict[str, t.Any], options: tuple[str, ...] = ()
) -> str:
    known = {
        **ALONE,
        "release_version": "2.0.0",
        "release_phase_changing": CHANGING,
        "report_directory": str(folder),
    }
    body = play_on(connection(place), vars=known, tasks=list(tasks))
    done = run_plays(folder, body, options=options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_window_that_closes_meanwhile_stops_the_next_change_and_nothing_else(place, tmp_path):
    shown = play(
        place,
        tmp_path,
        begins("database", release_launch_window=OPEN),
        begins("edge_functions"),
        begins("microservices"),
        begins("smoke_tests"),
        begins("monitoring"),
        begins("sign_off"),
        begins("feature_flags", **OVERRULED),
    )
    begun = ("database", "smoke_tests", "monitoring", "sign_off", "feature_flags")
    for phase in begun:
        assert f"msg: begun {phase}" in shown, shown
    for phase in ("edge_functions", "microservices"):
        assert f"msg: refused {phase}" in shown, shown
    assert "the launch window is closed, for a freeze: it is over" in " ".join(shown.split())

    record = place.run(release_info, name="2.0.0")["record"]
    assert set(record["facts"]["overrides"]) == {"launch_window"}
    override = record["facts"]["overrides"]["launch_window"]
    assert (override["by"], override["reason"]) == ("Jane Doe", "the fix cannot wait")


def test_a_rehearsal_only_tells_and_a_way_back_may_begin_at_any_time(place, tmp_path):
    rehearsed = play(place, tmp_path, begins("database"), options=("--check",))
    assert "msg: begun database" in rehearsed
    assert "It would stop: 1 of 1 checks failed" in " ".join(rehearsed.split())

    back = play(place, tmp_path, begins("database", release_phase_purpose="undo"))
    assert "msg: begun database" in back
