"""The check made no folder, the run made one, for its owner alone, and it says what kubectl sees."""

import json
import typing as t
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def report(folder: Path) -> Path:
    (only,) = (folder / "report").iterdir()
    return only


def test_the_folder_is_for_its_owner_alone(witness: t.Any, report: Path) -> None:
    assert witness.host.file(str(report)).mode == 0o700
    for name in ("index.html", "summary.txt", "diagnosis.json", "kubernetes/deployments.txt"):
        assert witness.host.file(str(report / name)).mode == 0o600


def test_it_names_the_service_that_is_not_there(report: Path) -> None:
    first = json.loads((report / "diagnosis.json").read_text("utf-8"))["causes"][0]
    assert "nobody-service: the cluster has no such Deployment" in first["sentence"]


def test_it_counts_pods_as_kubectl_does(witness: t.Any, report: Path) -> None:
    status = witness.read("deployment vendor-service")["status"]
    told = (report / "kubernetes" / "deployments.txt").read_text("utf-8")
    (line,) = (one for one in told.splitlines() if one.startswith("vendor-service: "))
    assert f"{status['updatedReplicas']} of {status['replicas']} updated" in line


def test_what_was_left_out_is_told(report: Path) -> None:
    assert "'databases' is empty" in (report / "summary.txt").read_text("utf-8")
