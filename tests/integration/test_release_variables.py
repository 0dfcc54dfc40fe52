"""Variables that nobody reads and secrets without a value, as a run of ansible-playbook tells them."""

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.ansible_playbook import run_playbook

REPOSITORY = Path(__file__).parents[2]
INVENTORIES = REPOSITORY / "inventories"
DEPLOY = REPOSITORY / "playbooks" / "deploy_v2.yml"
PLAYBOOKS = REPOSITORY / "playbooks"
SECRETS: list[dict[str, str]] = yaml.safe_load(
    (INVENTORIES / "shared" / "secrets.yml").read_text("utf-8")
)["release_secrets"]
CHECK = """\
- hosts: control
  gather_facts: false
  tasks:
    - easymo.deploy.release_variables:
        secrets: "{{ release_secrets }}"
"""


@pytest.fixture
def play(world, tmp_path) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ansible-playbook in a folder of its own, without any secret in its environment."""
    secret = {entry["environment"] for entry in SECRETS}
    clean = {name: value for name, value in os.environ.items() if name not in secret}
    clean["ANSIBLE_CONFIG"] = str(REPOSITORY / "ansible.cfg")
    clean["EASYMO_SANDBOX_STATE"] = str(world.directory)
    (tmp_path / "check.yml").write_text(CHECK, encoding="utf-8")
    # Where Ansible looks for what the playbooks set: beside the one that runs.
    (tmp_path / "group_vars").symlink_to(PLAYBOOKS / "group_vars")

    def run(
        inventory: str, playbook: Path, *more: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        words = ("-i", INVENTORIES / inventory, playbook, *more)
        return run_playbook(*words, cwd=tmp_path, environment=clean, **environment)

    return run


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """All that was printed, without the terminal's line breaks."""
    return " ".join((done.stdout + done.stderr).split())


REFUSING = {"easymo.deploy.release_phase", "easymo.deploy.release_variables"}
"""The roles of a run that is refused for its variables."""


def roles_that_ran(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(re.findall(r"^TASK \[([\w.]+) : ", done.stdout, re.MULTILINE))


def plays(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^PLAY \[(.*?)\]", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("inventory", ["prod", "staging", "sandbox"])
def test_playbooks_can_be_looked_at_without_a_platform(play, inventory, tmp_path):
    """Both ways in, and both questions, which one command may ask at once."""
    asked = (PLAYBOOKS / "rollback.yml", "--syntax-check", "--list-tasks")
    done = play(inventory, DEPLOY, *asked, EASYMO_SANDBOX_STATE=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for playbook in (DEPLOY, PLAYBOOKS / "rollback.yml"):
        assert f"playbook: {playbook}" in done.stdout


def test_a_release_as_it_stands_is_fine(play, tmp_path):
    known = ("-e", "release_watch_duration=3", "-e", "feature_flags_bounds={}", "-e", "pg_dump=x")
    done = play("sandbox", tmp_path / "check.yml", *known)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sandbox_that_is_not_up_is_said_once(play, tmp_path):
    done = play("sandbox", DEPLOY, EASYMO_SANDBOX_STATE=str(tmp_path))
    assert done.returncode == 2
    # In the task's result, in the phase's failure and at the end, not once a variable.
    assert 1 <= sentence(done).count("The sandbox is not up") <= 3
    assert "The sandbox is not up: run make sandbox-up." in sentence(done)
    assert "Traceback" not in sentence(done)
    assert "So these cannot be read: the secrets, release_checkout" in sentence(done)


def test_what_the_playbooks_set_for_all_hosts_is_refused_in_the_inventory(play, tmp_path):
    inventory = tmp_path / "inventories" / "own"
    shutil.copytree(INVENTORIES, inventory.parent, symlinks=True)
    shutil.copytree(INVENTORIES / "sandbox", inventory, symlinks=True)
    (inventory / "group_vars" / "all" / "own.yml").write_text("leading_host: x\n")
    (inventory / "group_vars" / "databases.yml").write_text("deploy_lock_wait: 5\n")
    (inventory / "group_vars" / "control.yml").write_text(
        "reset: true\nby: joe\ngate: monitoring\n"
    )
    done = play(str(inventory), tmp_path / "check.yml")
    assert done.returncode != 0
    assert "The inventory sets leading_host for all hosts" in sentence(done)
    assert "The inventory sets by, reset, which the playbooks read from the" in sentence(done)


def test_all_that_any_phase_could_not_work_with_stops_the_first_at_once(play, place):
    bad = {
        "release_watch_duraton": 3,
        "release_watch_duration": "sixty",
        "smoke_tests_prompt_timeout": "soon",
        "rolling_update_quorum": "most",
    }
    scratch = ("-e", f"kubernetes_namespace={place.namespace}")
    done = play("sandbox", DEPLOY, *scratch, "-e", json.dumps(bad))
    said = sentence(done)
    assert done.returncode == 2
    assert "release_watch_duraton (did you mean release_watch_duration?)" in said
    assert "On localhost, role release_variables: argument 'release_watch_duration'" in said
    assert "On localhost, role release_variables: argument 'smoke_tests_prompt_timeout'" in said
    quorum = "rolling_update_quorum must be one of: any, all, nodes, got: most"
    assert f"On localhost, role release_variables: value of {quorum}." in said
    assert plays(done) == ["Phase 1: preflight"]
    assert roles_that_ran(done) == REFUSING
    assert place.kubectl("get", "deployments,configmaps", "-o", "name") == ""
    assert "Traceback" not in said


def test_what_the_tasks_of_a_phase_could_not_read_stops_the_first_too(play, tmp_path):
    (tmp_path / "bad.yml").write_text(
        "release_metrics: [{name: a, query: up, pass: 5, rollback: true}]\n"
        "release_ramp: [{day: .inf, percentage: 1}, {day: 3, percentage: 1.0e+308}]\n"
        "release_launch_window: {timezone: Africa/Nairobi, holidays: 1}\n"
        "release_watch_duration: .nan\n"
        "release_version: ../../etc/x\n"
        "release_phases_waived: {preflight: text}\n"
        "release_flags: &a {FEATURE_AI_AGENTS: true, SELF: *a}\n"
        "statuspage_url: https://api.statuspage.io/v1\n",
        encoding="utf-8",
    )
    done = play("example", DEPLOY, "--tags", "preflight", "-e", f"@{tmp_path / 'bad.yml'}")
    said = sentence(done)
    assert done.returncode == 2
    for told in (
        "Option 'release_metrics[a].pass' is 5: it must be a dictionary, of min, max.",
        "Option 'release_metrics[a].rollback' is True",
        "Option 'release_ramp[0].day' is inf",
        "Option 'release_ramp[1].percentage' is 1e+308",
        "A holiday of the launch window is '1'",
        "Option 'release_watch_duration' is nan",
        "The release '../../etc/x' cannot name a ConfigMap",
        "'release_phases_waived' must say for 'preflight' who decided it and why",
        "Option 'release_flags' contains itself",
        "statuspage_url is set without statuspage_page_id and secret_statuspage_token",
    ):
        assert told in said
    assert roles_that_ran(done) == REFUSING
    assert "Traceback" not in said
    assert "maximum recursion" not in said
    assert "failure-1.yml" not in said, "its folder would be outside of the reports"


def test_a_typo_in_an_inventory_is_told_too(play, tmp_path):
    copy = tmp_path / "inventories" / "own"
    shutil.copytree(INVENTORIES / "prod", copy)
    typos = "deploy_lock_wiat: 600\nrelease_pin_digest: true\nour_region: eu\n"
    (copy / "group_vars" / "all" / "own.yml").write_text(typos, encoding="utf-8")
    said = sentence(play(str(copy), tmp_path / "check.yml"))
    assert (
        "Unknown variables: deploy_lock_wiat (did you mean deploy_lock_wait?), "
        "release_pin_digest (did you mean release_pin_digests?)." in said
    )


def test_placeholders_are_named_wherever_they_stand_unless_something_overrides_them(play, tmp_path):
    copy = tmp_path / "inventories" / "own"
    shutil.copytree(INVENTORIES / "sandbox", copy)
    (copy / "group_vars" / "all" / "zz_own.yml").write_text(
        "our_list: [good, {deep: ['CHANGE_ME: a region']}]\n"
        "release_codename: 'CHANGE_ME: a name'\nrelease_title: CHANGE_ME\n"
        "release_notes_url: https://CHANGE_ME/notes\n"
    )
    with (copy / "host_vars" / "agent_core_db.yml").open("a") as file:
        file.write("database_backup_name: CHANGE_ME\n")
    given = ("-e", "release_codename=ours", "-e", "release_mail_sender=CHANGE_ME")
    said = sentence(play(str(copy), tmp_path / "check.yml", *given))
    assert "Traceback" not in said
    told = said.partition("5 values still have to be filled in: ")[2].partition(". What")[0]
    assert sorted(told.split("; ")) == [
        "inventories/own/group_vars/all/zz_own.yml: release_title, release_notes_url, our_list[1].deep[0]",
        "inventories/own/host_vars/agent_core_db.yml: database_backup_name",
        "release_mail_sender",
    ], said


def of_the_owner(value: t.Any, path: str = "") -> list[str]:
    """The paths of what a file leaves to its owner, as one reads them."""
    inner = (
        [(f"{path}.{key}".lstrip("."), one) for key, one in value.items()]
        if isinstance(value, dict)
        else [(f"{path}[{n}]", one) for n, one in enumerate(value)]
        if isinstance(value, list)
        else []
    )
    own = [path] if isinstance(value, str) and "CHANGE_ME" in value else []
    return own + [found for key, one in inner for found in of_the_owner(one, key)]


@pytest.mark.parametrize("phase", ["preflight", "database"])
def test_production_without_secrets_names_all_of_them_and_does_nothing(play, phase):
    done = play("prod", DEPLOY, "--tags", phase)
    said = sentence(done)
    assert done.returncode == 2
    assert "These secrets have no value: " in said
    for secret in SECRETS:
        assert f"{secret['name']} (environment variable {secret['environment']}, for" in said
    assert "see docs/secrets.md" in said
    left = {
        path.name: of_the_owner(yaml.safe_load(path.read_text("utf-8")))
        for path in (INVENTORIES / "prod").glob("*_vars/**/*.yml")
    }
    assert {"endpoints.yml", "contacts.yml", "supabase_db.yml"} < {k for k, v in left.items() if v}
    for file, names in left.items():
        assert not names or f"{file}: {', '.join(names)}" in said
    assert f"{sum(map(len, left.values()))} values still have to be filled in" in said
    assert roles_that_ran(done) == REFUSING
    assert "Phase 3" not in "".join(plays(done))
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0"]
    assert "Traceback" not in said


def test_only_the_missing_secret_is_named_and_no_value_is_shown(play, tmp_path):
    values = {entry["environment"]: f"hunter2-{entry['name']}" for entry in SECRETS}
    values["ADMIN_TOKEN"] = "  "
    done = play("prod", tmp_path / "check.yml", "-vvv", **values)
    said = sentence(done)
    assert done.returncode == 2
    assert (
        "These secrets have no value: secret_admin_token (environment variable ADMIN_TOKEN, "
        "for the admin API)." in said
    )
    assert "hunter2" not in said
