"""Deployments stopped and started on a real API server, as kubectl sees it."""

import re
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import REPLICAS_ANNOTATION
from ansible_collections.easymo.deploy.plugins.modules import rollout
from tests.integration.conftest import SERVICE, Place


def replicas(place: Place) -> int:
    count: int = place.deployment()["spec"]["replicas"]
    return count


def memory(place: Place) -> str | None:
    annotations = place.deployment()["metadata"].get("annotations", {})
    found: str | None = annotations.get(REPLICAS_ANNOTATION)
    return found


def pods(place: Place) -> list[t.Any]:
    found: list[t.Any] = place.read("pods", selector=f"app={SERVICE}")["items"]
    return found


def available(place: Place) -> int:
    count: int = place.deployment()["status"].get("availableReplicas", 0)
    return count


def scale(place: Place, state: str, *, check_mode: bool = False) -> dict[str, t.Any]:
    return place.run(
        rollout, check_mode=check_mode, deployments=[SERVICE], state=state, wait_timeout=60
    )


def test_stopped_and_started_in_check_mode_for_real_and_again(deployed):
    for state, after, remembered in (("stopped", 0, "2"), ("running", 2, None)):
        before = deployed.deployment()
        predicted = scale(deployed, state, check_mode=True)
        assert predicted["changed"] is True
        assert predicted["diff"]["after"][SERVICE]["replicas"] == after
        assert deployed.deployment()["metadata"] == before["metadata"]

        assert scale(deployed, state) == predicted
        assert (replicas(deployed), memory(deployed)) == (after, remembered)
        assert (len(pods(deployed)), available(deployed)) == (after, after)

        version = deployed.deployment()["metadata"]["generation"]
        assert scale(deployed, state, check_mode=True)["changed"] is False
        assert scale(deployed, state)["changed"] is False
        assert deployed.deployment()["metadata"]["generation"] == version


def test_a_number_that_somebody_spoilt_is_put_right_as_it_is_printed(deployed):
    deployed.kubectl("annotate", f"deployment/{SERVICE}", f"{REPLICAS_ANNOTATION}=two")
    refused = scale(deployed, "stopped")
    assert f"-n {deployed.namespace} annotate" in refused["msg"]
    (printed,) = re.findall(r"'kubectl ([^']+)'", refused["msg"])
    deployed.kubectl(*printed.replace("<count>", "2").split())
    assert scale(deployed, "stopped", check_mode=True)["changed"] is True


def test_the_template_is_untouched_so_nothing_rolls(deployed):
    def history() -> list[str]:
        sets = deployed.read("replicasets")["items"]
        return sorted(one["metadata"]["name"] for one in sets)

    before = (history(), deployed.image())
    scale(deployed, "stopped")
    scale(deployed, "running")
    assert (history(), deployed.image()) == before
    assert "successfully rolled out" in deployed.rolled_out()
