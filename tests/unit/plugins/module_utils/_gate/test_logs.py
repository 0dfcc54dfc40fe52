"""Lines of logs that match, over a cluster in memory; what cannot be read is no zero."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Sample
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import LogSource
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller


class Logging(MemoryCluster):
    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()
        self.limits: list[dict[str, t.Any]] = []

    def log(self, pod: str, container: str, **limits: t.Any) -> str:
        self.limits.append(limits)
        if pod in self.gone:
            raise RefusedError("not found", status=404)
        return super().log(pod, container, **limits)

    def pods(self) -> list[str]:
        return [name for kind, name in self.objects if kind == "Pod"]


@pytest.fixture
def cluster() -> Logging:
    cluster = Logging()
    Controller(cluster, "shop:v1")
    for number, name in enumerate(cluster.pods()):
        cluster.logs[name] = "INFO started\n" + "ERROR it broke\n" * number
    return cluster


def source(cluster: Logging, name: str = NAME) -> LogSource:
    return LogSource(cluster, name, window=30, timeout=5)


def test_lines_of_all_pods_count_as_of_the_window(cluster):
    assert source(cluster).sample("ERROR") == Sample(3.0)
    assert source(cluster).sample("^INFO") == Sample(3.0)
    assert {one["since_seconds"] for one in cluster.limits} == {30}


def test_a_pod_that_goes_meanwhile_is_left_out(cluster):
    cluster.gone = {cluster.pods()[-1]}
    assert source(cluster).sample("ERROR") == Sample(1.0)


def test_without_a_running_container_there_is_no_data(cluster):
    for name in cluster.pods():
        del cluster.objects["Pod", name]
    sample = source(cluster).sample("ERROR")
    assert (sample.value, sample.error) == (None, False)
    assert "no container" in sample.problem


def test_a_cluster_out_of_sight_is_an_error(cluster):
    cluster.out_of_sight = True
    sample = source(cluster).sample("ERROR")
    assert (sample.value, sample.error) == (None, True)


@pytest.mark.parametrize(("name", "pattern"), [("absent", "ERROR"), (NAME, "(")])
def test_what_cannot_be_asked_is_refused(cluster, name, pattern):
    with pytest.raises(InputError):
        source(cluster, name).sample(pattern)
