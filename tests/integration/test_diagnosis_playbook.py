"""The playbook on the worst of days: nearly everything is down, a secret is missing, and it still tells what it can."""

import json
import subprocess
import typing as t

import pytest
import requests

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import SHOWN
from sandbox.commands import set_fault
from sandbox.faults import Fault, Faults
from sandbox.processes import Phase, records
from sandbox.world import World
from tests.ansible_playbook import run_playbook
from tests.integration.conftest import KUBECTL
from tests.integration.running import connection, query
from tests.waiting import until

DOWN = (
    Fault("kubernetes", "down"),
    Fault("prometheus", "paused"),
    Fault("postgres", "paused"),
    Fault("supabase", "jwt-flipped", "wa-webhook"),
    Fault("gateway", "errors", "wallet-service"),
)

ANSWERED = "InjectedFault"
"""A word of what the gateway answers. As the value of a secret it must be blank in whatever is kept or shown."""


@pytest.fixture(scope="module")
def broken(world) -> t.Iterator[World]:
    faults = Faults(world.faults_file)
    before = faults.all()
    try:
        for fault in DOWN:
            set_fault(world, fault)
        # They bear a slow database for a while before they say so.
        until(lambda: blames_its_database(world))
        yield world
    finally:
        faults.write(before)
        until(lambda: well(world))


def blames_its_database(world: World) -> bool:
    """Whether a service says by its public health that its database fails."""
    health = f"{world.facts('gateway')['url']}/health/ranking-service"
    answer = requests.get(health, timeout=30)
    return bool(answer.json().get("checks", {}).get("database", {}).get("status") == "fail")


def well(world: World) -> bool:
    """Whether what was down answers again, for whoever tests next."""
    kubeconfig = world.facts("kubernetes")["kubeconfig"]
    asked = subprocess.run(
        [KUBECTL, f"--kubeconfig={kubeconfig}", "get", "namespaces"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    up = all(one.phase is Phase.READY for one in records(world).values())
    return up and asked.returncode == 0 and bool(query(connection(world), "SELECT 1"))


def secrets_of(value: t.Any, name: str = "") -> t.Iterator[str]:
    """What the sandbox's state file holds under the name of a secret."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from secrets_of(inner, key)
    elif isinstance(value, str) and any(w in name for w in ("password", "secret", "token", "key")):
        yield value


def test_a_cause_s_hint_to_look_at_one_service_can_be_typed(world):
    printed = "-e diagnose=crash_loop -e service=wallet-service"
    words = ("playbooks/diagnose.yml", "-i", "inventories/sandbox", *printed.split())
    done = run_playbook(*words, EASYMO_SANDBOX_STATE=str(world.directory))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Diagnosis of release 2.0.0" in done.stdout


def test_it_tells_what_it_can_and_what_it_cannot_and_no_secret(broken):
    secrets = ("secret_agent_core_db_password=''", f"secret_wa_app_secret={ANSWERED}")
    given = [word for variable in secrets for word in ("-e", variable)]
    words = ("playbooks/diagnose.yml", "-i", "inventories/sandbox", "-vvv", *given)
    done = run_playbook(*words, EASYMO_SANDBOX_STATE=str(broken.directory))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    folder = max((broken.directory / "report" / "2.0.0").glob("diagnosis-*"))
    assert str(folder) in said
    told = (folder / "summary.txt").read_text("utf-8")
    shown = {line.strip() for line in done.stdout.splitlines()}
    surest = told.partition(f"\n{SHOWN + 1}. ")[0]
    assert {line.strip() for line in surest.splitlines()} <= shown, "each line whole, to copy from"
    causes = [line for line in told.splitlines() if line[:1].isdigit()]
    assert "wa-webhook: its JWT check is on" in causes[0]
    assert any("wallet-service: its public address answers 500" in one for one in causes)
    assert any("services say that their database fails (" in cause for cause in causes), told
    # The functions' log remembers what other tests of this sandbox have broken in them.
    of_today = [cause for cause in causes if "error lines in the last hour" not in cause]
    assert len(of_today) == 3, f"what is out of sight is no cause: {told}"
    for words in (
        "the Deployments, the error lines, what was changed. Could not list",
        "Prometheus did not answer",
        "database 'postgres'",
        "'login_password' of database agent_core_db is empty",
        "secret_agent_core_db_password (environment variable AGENT_CORE_DB_PASSWORD",
    ):
        assert words in told
    document = json.loads((folder / "diagnosis.json").read_text("utf-8"))
    assert document["entries"] == ["crash_loop", "error_rate", "function", "migration"]
    files = [path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()]
    shown_after_arguments = done.stdout.partition("Show the likely causes")[2]
    assert ANSWERED not in shown_after_arguments
    assert not any(ANSWERED in text for text in files)
    assert '"reason": "********"' in (folder / "public" / "health.txt").read_text("utf-8")
    for secret in secrets_of(broken.state()["components"]):
        assert secret not in said
        assert not any(secret in text for text in files)
