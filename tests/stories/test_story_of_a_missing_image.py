"""Phase by phase until an image is missing; then the cause is put right and only that phase runs again.

The release was begun with an earlier version of the collection. Its record is as that wrote it.
"""

import re
import typing as t
from pathlib import Path

import pytest

from sandbox.names import SERVICES
from tests.stories.people import QUICK, Witness

FIRST_BATCHES = SERVICES[:4]
LAST_BATCH = SERVICES[4:]


RECORDS = Path(__file__).parent / "records"
LINES_OF_A_FAILURE = 60
BEGUN = {"of_0.1.json": "2026-12-01T11:22:53Z", "of_0.2.json": "2026-11-26T02:23:19Z"}
"""When their releases began. Each was written by that version, in its own sandbox; the later one is taken up."""


def settlement(witness: Witness) -> t.Any:
    return witness.record("2.0.0")["phases"]["microservices"]["evidence"]["settlement"]


@pytest.mark.parametrize("record_file", BEGUN)
def test_what_an_earlier_version_wrote_is_read(operator, witness, record_file):
    witness.kubectl("delete", "configmaps", "--selector=easymo.com/release")
    witness.kubectl("create", f"--filename={RECORDS / record_file}")
    run = operator.plays("report")
    assert run.rc == 0, run.tail()
    record = witness.record("2.0.0")
    assert (record["attempt"], record["started"]) == (1, BEGUN[record_file])
    assert {name: one["status"] for name, one in record["phases"].items()} == {
        "preflight": "done",
        "database": "done",
        "edge_functions": "done",
    }


def test_phases_run_alone_by_their_tags(operator):
    """What the record calls done is done again, as far as anything is missing: the platform is another."""
    run = operator.deploys("--tags", "database,edge_functions")
    assert run.rc == 0, run.tail()
    others = {host: changed for host, changed in run.changed().items() if host in SERVICES}
    assert not any(others.values())


def test_the_run_stops_names_service_image_and_cause_and_holds_what_is_there(operator, witness):
    assert operator.sandbox("fault", "set", "node.image-not-found", "wallet-service").rc == 0
    hold = ("-e", "release_rollback_policy=hold")
    console = operator.at_the_console()
    run = console.deploys("--tags", "microservices,feature_flags", *hold)
    assert run.rc != 0
    shown = run.output.splitlines()
    assert len(shown) <= LINES_OF_A_FAILURE
    assert "✗ wave 2     wallet-service  image not found" in [line.strip() for line in shown], (
        run.output
    )
    said = " ".join(run.output.split())
    assert "✗ STOPPED in 4/8 Microservices, " in said
    assert "easymo/wallet-service:v2.0.0 is not in the registry" in said
    assert "Traceback" not in run.output
    assert "5/8 Feature Flags" not in run.output
    images = witness.images()
    assert images["wallet-service"] == "v1.9.0+v2.0.0", (
        "the failed one stays as the failure left it"
    )
    assert witness.serves("wallet-service")
    assert " undone nothing now v2.0.0: agent-core ranking-service " in said
    assert re.search(r" · v1\.9\.0: the other 8 · \d+/\d+ available · wallet-service \d/\d", said)
    assert " flags as before the release " in said
    onward = said.partition(" next ")[2].partition(" back ")[0]
    assert "playbooks/deploy_v2.yml -i " in onward
    assert "/sandbox --tags microservices," in onward
    assert onward.endswith(" ".join(["", *QUICK, *hold]))
    evidence = Path(next(line for line in shown if line.startswith("  detail ")).split()[1])
    assert "ImageNotFound" in evidence.read_text("utf-8")
    assert evidence.stat().st_mode & 0o077 == 0
    assert settlement(witness)["undone"] == {}
    (entry,) = witness.received()["statuspage"]["incidents"]
    assert entry["status"] == "in_progress"
    assert entry["incident_updates"][0]["body"].startswith(
        "The upgrade has stopped before its end."
    )
    assert {images[service] for service in FIRST_BATCHES if service != "wallet-service"} == {
        "v2.0.0"
    }
    assert {images[service] for service in LAST_BATCH} == {"v1.9.0"}, "later batches never started"
    assert witness.flags()["FEATURE_AI_AGENTS"] == "false"


def test_the_phases_run_again_finish_the_job(operator, witness):
    assert operator.sandbox("fault", "clear", "node.image-not-found").rc == 0
    run = operator.deploys("--tags", "microservices,feature_flags")
    assert run.rc == 0, run.tail()
    assert witness.images() == dict.fromkeys(SERVICES, "v2.0.0")
    assert witness.rolled_out()
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"
    phase = witness.record("2.0.0")["phases"]["microservices"]
    assert (phase["status"], sorted(phase["evidence"])) == ("done", ["services"])
    (failed,) = phase["earlier_failures"]
    ((service, failure),) = failed["evidence"]["failures"].items()
    assert service == "wallet-service"
    assert "easymo/wallet-service:v2.0.0" in failure["message"]
    (entry,) = witness.received()["statuspage"]["incidents"]
    assert entry["incident_updates"][0]["body"].startswith("The upgrade goes on.")


def test_the_rest_of_the_release_goes_through(operator, witness):
    assert operator.sandbox("traffic", "start", "--rate", "5", "--seconds", "600").rc == 0
    run = operator.deploys("--tags", "feature_flags,smoke_tests,monitoring,sign_off")
    assert run.rc == 0, run.tail()
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"
    record = witness.record("2.0.0")
    assert (record["attempt"], record["started"], record["status"]) == (
        1,
        BEGUN["of_0.2.json"],
        "done",
    )
