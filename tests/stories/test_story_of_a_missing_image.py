# SPDX-License-Identifier: GPL-3.0-or-later
"""Phase by phase until an image is missing; then the cause is put right and only that phase runs again."""

from __future__ import annotations

import pytest

from sandbox.names import SERVICES
from tests.stories.people import Operator, Witness

FIRST_BATCHES = SERVICES[:4]
LAST_BATCH = SERVICES[4:]


@pytest.mark.parametrize("phases", ["preflight,database", "edge_functions"])
def test_phases_run_alone_by_their_tags(operator: Operator, phases: str) -> None:
    run = operator.deploys("--tags", phases)
    assert run.rc == 0, run.tail()
    others = {host: changed for host, changed in run.changed().items() if host in SERVICES}
    assert not any(others.values())


def test_the_run_stops_and_names_service_image_and_cause(
    operator: Operator, witness: Witness
) -> None:
    assert operator.sandbox("fault", "set", "node.image-not-found", "wallet-service").rc == 0
    run = operator.deploys("--tags", "microservices,feature_flags")
    assert run.rc != 0
    assert "wallet-service" in run.output
    assert "easymo/wallet-service:v2.0.0 is not in the registry" in run.output
    assert "Traceback" not in run.output
    assert "Phase 5: feature flags" not in "".join(play for play in run.plays() if "TASK" in play)
    images = witness.images()
    assert images["wallet-service"] == "v1.9.0", "the failed service returned to what ran before"
    assert {images[service] for service in FIRST_BATCHES if service != "wallet-service"} == {
        "v2.0.0"
    }
    assert {images[service] for service in LAST_BATCH} == {"v1.9.0"}, "later batches never started"
    assert witness.flags()["FEATURE_AI_AGENTS"] == "false"


def test_one_service_is_brought_home_alone(operator: Operator, witness: Witness) -> None:
    assert operator.sandbox("fault", "clear", "node.image-not-found").rc == 0
    run = operator.deploys("--limit", "wallet-service", "--tags", "microservices")
    assert run.rc == 0, run.tail()
    assert set(run.changed()) == {"wallet-service"}
    assert witness.images()["wallet-service"] == "v2.0.0"


def test_the_phases_run_again_finish_the_job(operator: Operator, witness: Witness) -> None:
    run = operator.deploys("--tags", "microservices,feature_flags")
    assert run.rc == 0, run.tail()
    assert witness.images() == dict.fromkeys(SERVICES, "v2.0.0")
    assert witness.rolled_out()
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"


def test_a_smoke_test_that_fails_switches_the_feature_off(
    operator: Operator, witness: Witness
) -> None:
    assert operator.sandbox("fault", "set", "supabase.missing-blob", "wa-webhook").rc == 0
    run = operator.deploys("--tags", "smoke_tests")
    assert run.rc != 0
    assert "verification challenge" in run.output
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "false"
    assert operator.sandbox("fault", "clear", "supabase.missing-blob").rc == 0


def test_the_rest_of_the_release_goes_through(operator: Operator, witness: Witness) -> None:
    assert operator.sandbox("traffic", "start", "--rate", "20", "--seconds", "120").rc == 0
    run = operator.deploys()
    assert run.rc == 0, run.tail()
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"
