# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator was told is what kubectl sees."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

RELEASE = "2.0.0-molecule-status"
LINES: list[str] = json.loads(
    Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "told.json").read_text(encoding="utf-8")
)


def test_its_verdict_comes_first_and_then_who_deploys(witness: t.Any) -> None:
    assert LINES[0].startswith(f"INTERRUPTED: release {RELEASE} in database")
    leases = witness.read("leases")["items"]
    holders = [one["spec"].get("holderIdentity", "") for one in leases]
    assert "".join(holders) in LINES[1]
    assert "easymo-deploy" in LINES[1]


def test_it_tells_how_the_release_stands_phase_by_phase(witness: t.Any) -> None:
    record = witness.record(RELEASE)
    assert LINES[2].startswith(f"Release {RELEASE} is running: attempt 1 by {record['actor']}")
    assert LINES[3].split() == [
        "database",
        "running",
        "since",
        record["phases"]["database"]["started"],
    ]


def test_it_tells_of_every_service_which_tag_runs_in_how_many_pods(witness: t.Any) -> None:
    found = {one["metadata"]["name"]: one for one in witness.read("deployments")["items"]}
    told = {line.split()[0]: line for line in LINES[4:]}
    assert len(told) == 12
    for name, line in told.items():
        image = found[name]["spec"]["template"]["spec"]["containers"][0]["image"]
        available = found[name]["status"]["availableReplicas"]
        assert image.rpartition("/")[2] in line
        assert f"{available}/{found[name]['spec']['replicas']} available" in line
