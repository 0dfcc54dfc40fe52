"""The simulated world answers random calls as the served sandbox does, to the letter."""

import typing as t
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from tests.contract.same_calls import both, differences
from tests.contract.servers import TOKEN, Served
from tests.source_seed import source_seed

SEQUENCES = 8
"""Five seconds of CPU."""


def test_random_calls_are_answered_alike() -> None:
    tried: Counter[str] = Counter()
    for seed in range(source_seed(), source_seed() + SEQUENCES):
        with both() as (http, world):
            assert not differences(seed, http, world, tried)
    kinds = ("POST 201", "PATCH 200", "PUT 200", "DELETE 200", "GET 200", "PATCH 409", "PATCH 422")
    assert all(tried[kind] for kind in (*kinds, "events of a watch: some")), tried


@pytest.fixture
def served(tmp_path: Path) -> t.Iterator[Served]:
    with Served.running(tmp_path / "faults.json") as server:
        yield server


@pytest.mark.parametrize(("namespace", "name"), [("easymo-prod", ".."), ("..", "a")])
def test_a_name_is_no_step_of_the_path(served: Served, namespace: str, name: str) -> None:
    """Found by the random calls: a client sends `configmaps/..` as the namespace's own path."""
    cluster = KubernetesCluster(Connection(namespace=namespace, host=served.url, api_key=TOKEN))
    with pytest.raises(InputError, match=r"can be named '\.\.'"):
        cluster.delete("ConfigMap", name)
    assert served.store.get("namespaces", "", "easymo-prod")["status"] == {"phase": "Active"}
