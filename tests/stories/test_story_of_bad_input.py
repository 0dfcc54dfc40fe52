"""What a tired operator types: refused in one sentence, before anything is touched. Needs no platform at all.

What a deployment refuses in its variables and secrets: tests/integration/test_release_variables.py.
"""

import pytest
import yaml

from sandbox.world import World
from tests.stories.people import ROOT, Operator
from tests.tables import cases


@pytest.fixture
def nobody_home(tmp_path, monkeypatch) -> Operator:
    """An operator whose sandbox is not up and whose environment holds no secret."""
    for entry in yaml.safe_load((ROOT / "inventories/shared/secrets.yml").read_text())[
        "release_secrets"
    ]:
        monkeypatch.delenv(entry["environment"], raising=False)
    return Operator(World(tmp_path))


@pytest.mark.parametrize("inventory", ["prod", "staging", "sandbox"])
def test_playbooks_can_be_looked_at_without_a_platform(nobody_home, inventory):
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
        pytest.param(["--tags", "feature_flags,services,edge_functions"], False, id="milder-ones"),
        pytest.param(["--tags", "database"], True, id="by-name"),
        pytest.param(["--tags", "all,database"], True, id="all-and-by-name"),
    ],
)
def test_databases_are_restored_only_when_that_is_asked_for_by_name(nobody_home, tags, restores):
    run = nobody_home.plays("rollback", "--list-tasks", *tags, inventory="prod")
    assert run.rc == 0, run.tail()
    assert ("Stop the services, restore, and start them again" in run.output) is restores


@pytest.mark.parametrize("playbook", ["rollback", "unlock"])
def test_variables_that_nobody_reads_are_refused_with_the_ones_that_were_meant(
    nobody_home, playbook
):
    typos = {
        "release_verison": "release_version",
        "deploy_lock_forse": "deploy_lock_force",
        "service_rollback_name": "service_rollback_names",
        "rolling_update_timout": "rolling_update_timeout",
        "restore_aproved_by": "restore_approved_by",
    }
    given = [word for typo in typos for word in ("-e", f"{typo}=1")]
    run = nobody_home.plays(playbook, *given, inventory="prod")
    assert run.rc != 0
    said = " ".join(run.output.split())
    for typo, meant in typos.items():
        assert f"{typo} (did you mean {meant}?)" in said
    assert set(run.changed().values()) == {0}


@cases(("given", "told"), {
    "digests-that-nobody-looks-up": ("release_pin_digests=true release_check_images=false",
        "release_pin_digests needs the digests from release_check_images"),
    "a-service-that-is-not-there": ('{"release_services": ["wallet-service", "walet-service"]}',
        "release_services names walet-service, and the group microservices of the inventory does not"),
})  # fmt: skip
def test_what_cannot_be_is_refused(nobody_home, given, told):
    secret = ("-e", "secret_kubernetes_token=any")
    run = nobody_home.plays("unlock", *secret, "-e", given, inventory="prod")
    assert run.rc != 0
    assert told in " ".join(run.output.split())
