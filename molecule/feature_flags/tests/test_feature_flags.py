# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags stand in the ConfigMap and in the environment of every container that reads them."""

from __future__ import annotations

import typing as t

WANTED = {
    "FEATURE_AI_AGENTS": "true",
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "1",
    "FEATURE_BUYER_AGENT": "true",
    "FEATURE_MARKETPLACE_AGENT": "false",
}


def test_the_config_map_holds_them(witness: t.Any) -> None:
    data = witness.read("configmap feature-flags")["data"]
    assert WANTED.items() <= data.items()


def test_every_pod_runs_with_them(witness: t.Any) -> None:
    pods = witness.read("pods --selector=app=agent-core")["items"]
    names = [p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]]
    assert names
    for name in names:
        lines = witness.kubectl(f"exec {name} -- env").splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        assert WANTED.items() <= environment.items(), name
