# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import (
    compare,
    observe_environment,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller

EXPECTED = {"FEATURE_AI_AGENTS": "true"}


def test_a_difference_names_key_expected_and_seen() -> None:
    assert compare("p", {"FEATURE_AI_AGENTS": "false"}, EXPECTED).problems == (
        "FEATURE_AI_AGENTS is 'false' instead of 'true'",
    )
    assert compare("p", {}, EXPECTED).problems == ("FEATURE_AI_AGENTS is unset instead of 'true'",)
    assert compare("p", {"FEATURE_AI_AGENTS": "true", "X": "y"}, EXPECTED).problems == ()


def test_every_pod_is_asked() -> None:
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet-service:v1")
    deployment = Deployment.from_json(cluster.objects["Deployment", NAME])
    pods = [name for kind, name in cluster.objects if kind == "Pod"]
    cluster.environments = dict.fromkeys(pods, "PATH=/bin\nFEATURE_AI_AGENTS=true\n")
    cluster.environments[pods[1]] = "FEATURE_AI_AGENTS=false\n"
    findings = observe_environment(cluster, deployment, NAME, EXPECTED)
    assert [bool(one.problems) for one in findings] == [False, True, False]
