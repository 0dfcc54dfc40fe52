"""The service runs the release in every pod, and the public way in says so."""

import json
import os
import urllib.request
from pathlib import Path

SERVICE = "buyer-service"
IMAGE = f"easymo/{SERVICE}:v2.0.0"


def test_every_pod_runs_the_release_and_is_ready(witness):
    witness.kubectl(f"rollout status deployment/{SERVICE} --timeout=1s")
    pods = witness.read(f"pods --selector=app={SERVICE}")["items"]
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    deployment = witness.read(f"deployment {SERVICE}")
    assert len(living) == deployment["spec"]["replicas"]
    for pod in living:
        (status,) = pod["status"]["containerStatuses"]
        assert (status["image"].endswith(IMAGE), status["ready"]) == (True, True)


def test_no_pod_of_the_release_before_was_left_when_the_role_was_done():
    kept = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "result.json")
    result = json.loads(kept.read_text(encoding="utf-8"))
    assert (result["result"], result["replicas"]["old"]) == ("succeeded", 0)


def test_the_deployment_tells_which_release_it_is_of(witness):
    assert "release 2.0.0-molecule" in witness.kubectl(f"rollout history deployment/{SERVICE}")
    assert witness.record("2.0.0-molecule")["phases"]["microservices"]["status"] == "running"


def test_the_public_health_endpoint_tells_the_version(witness):
    url = f"{witness.facts['gateway']['url']}/health/{SERVICE}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        told = json.load(answer)
    assert (told["status"], told["version"]) == ("ok", "2.0.0")
