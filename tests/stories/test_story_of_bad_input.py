# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tired operator types: refused in one sentence, before anything is touched. Needs no platform at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sandbox.world import World
from tests.stories.people import ROOT, Operator


@pytest.fixture
def nobody_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """An operator whose sandbox is not up and whose environment holds no secret."""
    for entry in yaml.safe_load((ROOT / "inventories/shared/wiring.yml").read_text())[
        "release_secrets"
    ]:
        monkeypatch.delenv(entry["environment"], raising=False)
    return Operator(World(tmp_path))


@pytest.mark.parametrize("inventory", ["prod", "staging", "sandbox"])
def test_playbooks_can_be_looked_at_without_a_platform(
    nobody_home: Operator, inventory: str
) -> None:
    """Both ways in, and both questions, which one command may ask at once."""
    questions = ("--syntax-check", "--list-tasks")
    run = nobody_home.plays("deploy_v2 rollback", *questions, inventory=inventory)
    assert run.rc == 0, run.tail()
    for playbook in ("deploy_v2", "rollback"):
        assert f"playbook: playbooks/{playbook}.yml" in run.output


@pytest.mark.parametrize(
    ("tags", "restores"),
    [
        pytest.param([], False, id="none"),
        pytest.param(["--tags", "all"], False, id="all"),
        pytest.param(["--tags", "feature_flags,services,edge_functions"], False, id="milder-ones"),
        pytest.param(["--tags", "database"], True, id="by-name"),
        pytest.param(["--tags", "all,database"], True, id="all-and-by-name"),
    ],
)
def test_databases_are_restored_only_when_that_is_asked_for_by_name(
    nobody_home: Operator, tags: list[str], restores: bool
) -> None:
    run = nobody_home.plays("rollback", "--list-tasks", *tags, inventory="prod")
    assert run.rc == 0, run.tail()
    assert ("Restore the database" in run.output) is restores
    assert ("Stop the services" in run.output) is restores


def test_production_without_secrets_stops_in_preflight_and_names_them_all(
    nobody_home: Operator, tmp_path: Path
) -> None:
    run = nobody_home.plays("deploy_v2", "-e", f"release_checkout={tmp_path}", inventory="prod")
    assert run.rc != 0
    names = yaml.safe_load((ROOT / "inventories/shared/wiring.yml").read_text())["release_secrets"]
    said = " ".join(run.output.split())
    assert [entry["name"] for entry in names if entry["name"] not in said] == []
    assert "Phase 2" not in "".join(run.plays())
    assert set(run.changed().values()) == {0}
    assert "Traceback" not in run.output


def test_a_variable_that_nobody_reads_is_refused_with_the_one_that_was_meant(
    nobody_home: Operator,
) -> None:
    run = nobody_home.plays("deploy_v2", "-e", "release_verison=2.0.1", inventory="prod")
    assert run.rc != 0
    assert "release_verison (did you mean release_version?)" in " ".join(run.output.split())


def test_a_value_of_the_wrong_type_is_refused_by_name(nobody_home: Operator) -> None:
    run = nobody_home.plays("deploy_v2", "-e", "release_watch_duration=sixty", inventory="prod")
    assert run.rc != 0
    assert "release_watch_duration" in run.output
    assert set(run.changed().values()) == {0}


def test_a_sandbox_that_is_not_up_is_said_to_be_so(nobody_home: Operator) -> None:
    run = nobody_home.deploys()
    assert run.rc != 0
    assert "The sandbox is not up: run make sandbox-up." in " ".join(run.output.split())
    assert "Traceback" not in run.output
