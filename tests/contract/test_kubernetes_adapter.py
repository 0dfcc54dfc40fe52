"""The same cases over the cluster in memory and the adapter on a real API server, so neither drifts."""

import typing as t
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Cluster, Object
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import Lock, format_time
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run
from tests import kubernetes_api
from tests.fakes.cluster import MemoryCluster

NAME = f"contract-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["memory", "real"])
def cluster(request) -> t.Iterator[Cluster]:
    if request.param == "memory":
        yield MemoryCluster()
        return
    kubeconfig = request.getfixturevalue("shared_cluster").facts("kubernetes")["kubeconfig"]
    if not kubernetes_api.is_there(kubeconfig, NAME):
        kubernetes_api.create_namespace(kubeconfig, NAME)
    real = KubernetesCluster(Connection(namespace=NAME, kubeconfig=kubeconfig))
    real.delete("ConfigMap", NAME)
    yield real
    real.delete("ConfigMap", NAME)
    real.delete("Lease", NAME)


def config_map(cluster: Cluster, **data: str) -> Object:
    metadata = {"name": NAME, "namespace": cluster.namespace, "labels": {"case": NAME}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_what_is_not_there_reads_as_none_and_deletes_in_peace(cluster):
    assert cluster.read("ConfigMap", NAME) is None
    cluster.delete("ConfigMap", NAME)


def test_a_name_exists_once(cluster):
    created = cluster.create("ConfigMap", config_map(cluster, a="1"))
    with pytest.raises(ConflictError):
        cluster.create("ConfigMap", config_map(cluster, a="2"))
    assert cluster.read("ConfigMap", NAME) == created


def test_a_list_holds_what_its_labels_select(cluster):
    cluster.create("ConfigMap", config_map(cluster, a="1"))
    found = cluster.list_objects("ConfigMap", label_selector=f"case={NAME}")
    assert [one["data"] for one in found] == [{"a": "1"}]
    assert not cluster.list_objects("ConfigMap", label_selector="case=another")


def test_only_the_newest_version_is_replaced(cluster):
    first = cluster.create("ConfigMap", config_map(cluster, a="1"))
    second = cluster.replace("ConfigMap", {**first, "data": {"a": "2"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        cluster.replace("ConfigMap", {**first, "data": {"a": "3"}})


def test_what_went_meanwhile_is_not_replaced(cluster):
    created = cluster.create("ConfigMap", config_map(cluster, a="1"))
    cluster.delete("ConfigMap", NAME)
    with pytest.raises(RefusedError) as caught:
        cluster.replace("ConfigMap", created)
    assert caught.value.details["status"] == 404


def test_a_lock_reads_back_as_it_was_written_and_only_its_newest_version_is_replaced(cluster):
    run = Run(machine="boot/pid:[1]", pid=4711, started="99")
    moment = format_time(datetime(2026, 11, 24, 9, tzinfo=UTC))
    wanted = Lock(
        name=NAME,
        holder="ann@here",
        release="2.0.0",
        reason="it is time",
        run=run,
        duration=30,
        acquired=moment,
        renewed=moment,
        fence=7,
    )
    taken = Lock.from_json(cluster.create("Lease", wanted.to_json(cluster.namespace)))
    assert replace(taken, resource_version="") == wanted
    free = Lock(name=NAME, fence=7, resource_version=taken.resource_version)
    freed = Lock.from_json(cluster.replace("Lease", free.to_json(cluster.namespace)))
    assert (freed.holder, freed.fence, freed.until) == ("", 7, "")
    with pytest.raises(ConflictError):
        cluster.replace("Lease", taken.to_json(cluster.namespace))


def test_a_patch_whose_test_fails_is_a_conflict_and_changes_nothing(cluster):
    created = cluster.create("ConfigMap", config_map(cluster, a="1"))
    replace = {"op": "replace", "path": "/data/a", "value": "2"}
    with pytest.raises(ConflictError):
        cluster.patch("ConfigMap", NAME, [{"op": "test", "path": "/data/a", "value": "9"}, replace])
    assert cluster.read("ConfigMap", NAME) == created
    assert cluster.patch("ConfigMap", NAME, [replace])["data"] == {"a": "2"}


def test_a_dry_run_answers_and_keeps_nothing(cluster):
    created = cluster.create("ConfigMap", config_map(cluster, a="1"))
    replace = {"op": "replace", "path": "/data/a", "value": "2"}
    assert cluster.patch("ConfigMap", NAME, [replace], dry_run=True)["data"] == {"a": "2"}
    assert cluster.read("ConfigMap", NAME) == created


def test_apply_keeps_to_its_own_keys(cluster):
    cluster.apply("ConfigMap", config_map(cluster, a="1", b="2"))
    applied = cluster.apply("ConfigMap", config_map(cluster, a="3"))
    assert applied["data"] == {"a": "3"}


def test_apply_refuses_a_stale_version(cluster):
    first = cluster.apply("ConfigMap", config_map(cluster, a="1"))
    cluster.apply("ConfigMap", config_map(cluster, a="2"))
    stale = config_map(cluster, a="3")
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        cluster.apply("ConfigMap", stale, force=True)


def test_a_command_in_a_pod_that_went_is_refused_as_missing(cluster):
    with pytest.raises(RefusedError) as caught:
        cluster.execute("no-such-pod", "agent-core", ["env"])
    assert caught.value.details["status"] == 404
