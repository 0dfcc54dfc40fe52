"""What the operator was told is what kubectl sees."""

import json
import typing as t
from pathlib import Path

import pytest
import yaml

RELEASE = "2.0.0-test-role-status"
HOSTS = Path(__file__).parents[4] / "inventories" / "shared" / "hosts.yml"
WAVES = yaml.safe_load(HOSTS.read_text("utf-8"))["all"]["children"]["microservices"]["children"]
SERVICES = {name for wave in WAVES.values() for name in wave["hosts"]}


@pytest.fixture(scope="module")
def lines(folder) -> list[str]:
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def told(lines) -> t.Callable[[str], str]:
    """What stands behind a label; "" when it is not told."""
    return lambda label: next((line[12:] for line in lines if line[2:12].strip() == label), "")


def test_its_verdict_comes_first_and_then_who_began_it(witness, lines, told):
    assert lines[0].startswith(f"INTERRUPTED: release {RELEASE} in Database (2 of 8)")
    assert told("release").startswith(
        f"{RELEASE}, attempt 1 by {witness.record(RELEASE)['actor']}, begun "
    )
    assert told("phases") == "0 of 8 done · Database running"
    assert len(lines) <= 25


def test_it_tells_which_tags_run_in_how_many_pods(witness, told):
    every = {one["metadata"]["name"]: one for one in witness.read("deployments")["items"]}
    found = [one for name, one in every.items() if name in SERVICES]
    assert len(found) == 12
    image = found[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert told("versions") == f"{image.rpartition(':')[2]}: all 12"
    available = sum(one["status"]["availableReplicas"] for one in found)
    desired = sum(one["spec"]["replicas"] for one in found)
    assert told("pods") == f"{available}/{desired} available"


def test_it_tells_what_to_type_next(told):
    assert "deploy.yml" in told("next")
    assert "rollback.yml" in told("or")
