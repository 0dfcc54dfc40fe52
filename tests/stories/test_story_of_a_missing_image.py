"""Phase by phase until an image is missing; then the cause is put right and only that phase runs again.

The release was begun with an earlier version of the collection. Its record is as that wrote it.
"""

import re
import shlex
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import FUNCTIONS_BACK
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
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


def test_a_health_endpoint_that_fails_behind_well_pods_pauses_the_rollout_and_undoes_nothing(
    operator, witness
):
    assert operator.sandbox("fault", "clear", "node.image-not-found").rc == 0
    assert operator.sandbox("fault", "set", "gateway.errors", "wallet-service").rc == 0
    run = operator.deploys("--limit", "wallet-service", "--tags", "microservices")
    assert run.rc != 0
    said = " ".join(run.output.split())
    assert (
        "Phase microservices failed on wallet-service in 'Roll out the service, and call its public"
        in said
    )
    assert "500" in said
    assert "Nothing was undone. Paused there: wallet-service, whose rollout succeeded" in said
    images = witness.images()
    assert images["wallet-service"] == "v2.0.0", "what was held is taken up"
    assert settlement(witness)["paused"] == ["wallet-service"]
    assert operator.sandbox("fault", "clear", "gateway.errors").rc == 0
    back = operator.types(run, "rollback")
    assert back.rc == 0, back.tail()
    assert set(back.changed()) - {"localhost"} <= {"wallet-service"}
    assert witness.images() == {**images, "wallet-service": "v1.9.0"}


def test_the_phases_run_again_finish_the_job(operator, witness):
    run = operator.deploys("--tags", "microservices,feature_flags")
    assert run.rc == 0, run.tail()
    assert witness.images() == dict.fromkeys(SERVICES, "v2.0.0")
    assert witness.rolled_out()
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"
    phase = witness.record("2.0.0")["phases"]["microservices"]
    assert (phase["status"], sorted(phase["evidence"])) == ("done", ["services"])
    failures = [one["evidence"]["failures"] for one in phase["earlier_failures"]]
    assert [sorted(one) for one in failures] == [["wallet-service"]] * 2
    (entry,) = witness.received()["statuspage"]["incidents"]
    assert entry["incident_updates"][0]["body"].startswith("The upgrade goes on.")
    causes = [one["wallet-service"]["message"] for one in failures]
    assert ["easymo/wallet-service:v2.0.0" in cause for cause in causes] == [True, False]


def test_a_question_that_nobody_answers_holds_and_leaves_the_flags(operator, witness):
    run = operator.deploys("--tags", "smoke_tests", "-e", "release_smoke_people=true")
    assert run.rc != 0
    assert "✅ Payment integration: PASS (order " in run.output
    assert (
        "⏸️ phone: HOLD (no answer came (asked of the internal team): there is no terminal"
        in run.output
    )
    assert "Phase smoke_tests is on hold on localhost in " in run.output
    assert " smoke tests are unclear. phone: " in run.output
    answers = '"smoke_tests_answers": {"phone": "yes or no", "dashboard": "yes or no"}'
    assert answers in run.output, "what to add"
    held = witness.record("2.0.0")["phases"]["smoke_tests"]["evidence"]["failures"]["localhost"]
    assert held["reason"] == "Hold"
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"


def test_a_smoke_test_that_fails_switches_the_feature_off(operator, witness):
    assert operator.sandbox("fault", "set", "supabase.missing-blob", "wa-webhook").rc == 0
    run = operator.deploys("--tags", "smoke_tests")
    assert run.rc != 0
    assert "❌ WhatsApp webhook: FAIL (verification challenge: " in run.output
    assert "✅ Database connectivity: PASS (" in run.output
    assert "The feature is switched off in every pod." in run.output
    assert set(witness.environments("agent-core", "FEATURE_AI_AGENTS").values()) == {"false"}
    again = "Next: playbooks/deploy.yml --tags feature_flags,smoke_tests,"
    assert again in " ".join(run.output.split())
    # Else the phases that are left would pass without the feature.
    run = operator.deploys("--tags", "smoke_tests")
    assert run.rc != 0
    refused = " ".join(run.output.split())
    assert "feature_flags is done, and what it switched on is off since" in refused
    assert operator.sandbox("fault", "clear", "supabase.missing-blob").rc == 0


def test_what_was_seen_is_kept_and_the_money_can_be_found(witness):
    """The payment of the run that held was the attempt's only one; the failed run found it paid."""
    evidence = witness.record("2.0.0")["phases"]["smoke_tests"]["evidence"]
    checks = {check["name"]: check for check in evidence["checks"]}
    assert checks["WhatsApp webhook"]["status"] == "fail"
    order = checks["Payment integration"]["facts"]["order_id"]
    paid = f"select order_id from payments where order_id = '{order}'"
    assert witness.sql("agent_core", paid) == [order]


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


def test_the_functions_alone_go_back_by_what_a_diagnosis_prints(operator, witness):
    assert witness.functions_version() == "2.0.0"
    ((_playbook, options),) = commands_in(FUNCTIONS_BACK)
    run = operator.goes_back(*shlex.split(options))
    assert run.rc == 0, run.tail()
    assert witness.functions_version() == "1.9.0"
    assert witness.images() == dict.fromkeys(SERVICES, "v2.0.0")
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"
