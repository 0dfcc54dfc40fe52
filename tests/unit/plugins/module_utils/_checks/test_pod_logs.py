"""What the log of a pod may not contain."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import CheckError
from ansible_collections.easymo.deploy.plugins.module_utils._checks.pods import refuse_lines
from tests.fakes.cluster import MemoryCluster


def pod(name: str, **metadata: t.Any) -> dict[str, t.Any]:
    containers = [{"name": "app"}, {"name": "sidecar"}]
    return {"metadata": {"name": name, **metadata}, "spec": {"containers": containers}}


class Logs(MemoryCluster):
    def __init__(self, **logs: str) -> None:
        super().__init__()
        self._logs = logs

    def log(self, pod: str, container: str, **limits: t.Any) -> str:
        return self._logs.get(f"{pod}_{container}", "")


def test_a_line_with_the_text_is_told_with_its_pod_and_without_secrets():
    cluster = Logs(a_app="fine\n", b_sidecar="fine\nERROR no login with password=hunter2\n")
    with pytest.raises(CheckError, match="'b' has logged 'ERROR': ERROR no login") as refused:
        refuse_lines(cluster, [pod("a"), pod("b")], "ERROR")
    assert "hunter2" not in str(refused.value)


def test_logs_without_it_and_pods_that_are_ending_are_fine():
    cluster = Logs(a_app="fine\nerror in lower case\n", b_app="ERROR while it ended\n")
    refuse_lines(cluster, [pod("a"), pod("b", deletionTimestamp="2026-11-24T06:00:00Z")], "ERROR")
