# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness probes of real pods, as far as the sandbox's kubelet is one: what fails them does not pass."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._progress import Progress, subscribe
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE, deployment
from tests.contract.rollout_place import NEW, OLD, Stage, stage


@pytest.fixture
def at(cluster: World) -> t.Iterator[Stage]:
    """Ready by one address, and killed by another after three failures 2 s apart."""
    template = deployment(OLD)["spec"]["template"]
    main = template["spec"]["containers"][0]
    main["livenessProbe"] = {**main["readinessProbe"], "periodSeconds": 2}
    main["readinessProbe"] = {"httpGet": {"path": "/metrics", "port": 8080}, "periodSeconds": 1}
    with stage(cluster, template=template, replicas=2) as made:
        yield made


def test_an_image_that_is_ready_and_fails_its_liveness_probe_does_not_pass(at: Stage) -> None:
    result = at.roll(f"{NEW}-unhealthy")
    assert (result["result"], result["reason"]) == ("rolled_back", "LivenessFailed"), result
    assert f"container {SERVICE} does not answer its livenessProbe" in result["msg"]
    assert "statuscode: 503" in result["msg"]
    assert "crash" not in result["msg"].lower()
    assert at.image == OLD


def test_one_that_answers_is_taken_at_its_first_answer(at: Stage) -> None:
    heard: list[Progress] = []
    forget = subscribe(heard.append)
    result = at.roll()
    forget()
    assert result["result"] == "succeeded", result
    texts = [one.text for one in heard]
    waited = [text for text in texts if "liveness probe has answered" in text]
    assert len(waited) <= 1


def test_a_soak_may_be_forbidden(at: Stage) -> None:
    assert at.roll(f"{NEW}-unhealthy", soak=0)["result"] == "succeeded"
