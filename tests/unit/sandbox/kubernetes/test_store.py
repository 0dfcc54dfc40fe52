"""The store: versions, generations, preconditions, deletion, quota, history."""

import asyncio

import pytest

from sandbox.kubernetes.admission import ClusterRules
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.store import Store


@pytest.fixture
def store() -> Store:
    store = Store(ClusterRules())
    store.create("namespaces", {"metadata": {"name": "shop"}})
    return store


def config_map(name: str = "flags", **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "shop"}, "data": data}


def pod(name: str = "web-1", node: str = "", **metadata: object) -> dict:
    spec: dict = {"containers": [{"name": "web", "image": "web:1"}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, "namespace": "shop"} | metadata, "spec": spec}


def deployment(**metadata: object) -> dict:
    labels = {"app": "web"}
    return {
        "metadata": {"name": "web", "namespace": "shop"} | metadata,
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod()["spec"]},
        },
    }


def refused(status: int):
    return pytest.raises(ApiError, check=lambda error: error.status == status)


def test_what_is_returned_is_the_callers_own_copy(store):
    made = store.create("configmaps", config_map(a="1"))
    made["data"]["a"] = "changed"

    assert store.get("configmaps", "shop", "flags")["data"] == {"a": "1"}


def test_creating_twice_is_409_and_in_no_namespace_404(store):
    store.create("configmaps", config_map())

    with refused(409) as twice:
        store.create("configmaps", config_map())
    with refused(404):
        store.create("configmaps", {"metadata": {"name": "x", "namespace": "nowhere"}})
    assert twice.value.reason == "AlreadyExists"


def test_generated_names_differ(store):
    names = {
        store.create("pods", pod(name="", generateName="web-"))["metadata"]["name"]
        for _ in range(9)
    }

    assert len(names) == 9
    assert all(len(name) == len("web-") + 5 for name in names)


def test_a_stale_version_is_refused_and_a_missing_one_is_not(store):
    old = store.create("configmaps", config_map(a="1"))
    store.update("configmaps", old | {"data": {"a": "2"}})

    with refused(409) as stale:
        store.update("configmaps", old | {"data": {"a": "3"}})
    del old["metadata"]["resourceVersion"]

    assert "the object has been modified" in str(stale.value)
    assert store.update("configmaps", old | {"data": {"a": "3"}})["data"] == {"a": "3"}


def test_another_uid_is_refused(store):
    made = store.create("configmaps", config_map())
    made["metadata"]["uid"] = "another"

    with refused(409):
        store.update("configmaps", made)
    with refused(409):
        store.delete("configmaps", "shop", "flags", uid="another")


def test_an_unchanged_object_keeps_its_version(store):
    made = store.create("deployments", deployment())
    version = store.version

    again = store.update("deployments", deployment())

    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert store.version == version


def test_generation_follows_the_spec_and_a_deployments_annotations_alone(store):
    made = store.create("deployments", deployment())
    assert made["metadata"]["generation"] == 1

    made["status"] = {"replicas": 1}
    made = store.update("deployments", made, subresource="status")
    assert (made["metadata"]["generation"], made["status"]) == (1, {"replicas": 1})

    made["metadata"]["labels"] = {"a": "b"}
    made = store.update("deployments", made)
    assert made["metadata"]["generation"] == 1

    made["metadata"]["annotations"] = {"a": "b"}
    made = store.update("deployments", made)
    assert made["metadata"]["generation"] == 2

    made["spec"]["replicas"] = 3
    assert store.update("deployments", made)["metadata"]["generation"] == 3


def test_the_main_door_keeps_the_status_and_the_status_door_the_spec(store):
    made = store.create("deployments", deployment())
    made["spec"]["replicas"], made["status"] = 7, {"replicas": 9}

    through_main = store.update("deployments", made)
    assert (through_main["spec"]["replicas"], through_main["status"]) == (7, {})

    through_main["spec"]["replicas"], through_main["status"] = 1, {"replicas": 9}
    through_status = store.update("deployments", through_main, subresource="status")
    assert (through_status["spec"]["replicas"], through_status["status"]) == (7, {"replicas": 9})


def test_a_dry_run_predicts_and_stores_nothing(store):
    predicted = store.create("configmaps", config_map(a="1"), dry_run=True)
    assert "resourceVersion" not in predicted["metadata"]
    with refused(404):
        store.get("configmaps", "shop", "flags")

    made = store.create("deployments", deployment())
    made["spec"]["replicas"] = 4
    assert store.update("deployments", made, dry_run=True)["metadata"]["generation"] == 2
    store.delete("deployments", "shop", "web", dry_run=True)
    assert store.get("deployments", "shop", "web")["spec"]["replicas"] == 1


def test_a_pod_on_a_node_waits_for_its_kubelet(store):
    store.create("pods", pod(node="n1"))

    marked = store.delete("pods", "shop", "web-1", grace_seconds=5)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 5
    assert store.get("pods", "shop", "web-1")["metadata"]["deletionTimestamp"]

    store.delete("pods", "shop", "web-1", grace_seconds=0)
    with refused(404):
        store.get("pods", "shop", "web-1")


def test_deleting_again_only_shortens_the_grace(store):
    store.create("pods", pod(node="n1"))
    first = store.delete("pods", "shop", "web-1", grace_seconds=5)
    same = store.delete("pods", "shop", "web-1", grace_seconds=30)
    shorter = store.delete("pods", "shop", "web-1", grace_seconds=1)

    assert same["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 1


@pytest.mark.parametrize("phase", ["", "Failed", "Succeeded"])
def test_a_pod_that_never_ran_or_has_ended_goes_at_once(store, phase):
    made = store.create("pods", pod(node="n1" if phase else ""))
    if phase:
        store.update("pods", made | {"status": {"phase": phase}}, subresource="status")

    store.delete("pods", "shop", "web-1")

    assert store.list("pods", "shop") == []


def test_an_object_stays_until_its_last_finalizer_is_off(store):
    made = config_map()
    made["metadata"]["finalizers"] = ["example.com/keep"]
    store.create("configmaps", made)

    marked = store.delete("configmaps", "shop", "flags")
    assert marked["metadata"]["deletionTimestamp"]
    del marked["metadata"]["finalizers"]
    store.update("configmaps", marked)

    assert store.list("configmaps", "shop") == []


def test_a_namespace_goes_with_the_last_object_in_it(store):
    store.create("configmaps", config_map())
    store.create("pods", pod(node="n1"))

    store.delete("namespaces", "", "shop")
    assert store.get("namespaces", "", "shop")["status"]["phase"] == "Terminating"
    with refused(403):
        store.create("configmaps", config_map())

    store.delete("pods", "shop", "web-1", grace_seconds=0)
    with refused(404):
        store.get("namespaces", "", "shop")


def test_a_quota_refuses_one_pod_too_many(store):
    quota = {"metadata": {"name": "q", "namespace": "shop"}, "spec": {"hard": {"pods": "1"}}}
    store.create("resourcequotas", quota)
    store.create("pods", pod())

    with refused(403) as full:
        store.create("pods", pod("web-2"))

    assert str(full.value) == (
        'pods "web-2" is forbidden: exceeded quota: q,'
        " requested: pods=1, used: pods=1, limited: pods=1"
    )


def test_history_is_resumed_by_version_and_410_once_forgotten(store):
    made = store.create("configmaps", config_map(a="1"))
    version = int(made["metadata"]["resourceVersion"])
    store.update("configmaps", made | {"data": {"a": "2"}})

    assert [event.type for event in store.events_since("configmaps", version)] == ["MODIFIED"]
    store.expire_histories()
    with refused(410) as gone:
        store.events_since("configmaps", version)
    assert str(gone.value) == f"too old resource version: {version} ({store.version})"


def test_a_subscription_tells_everything_from_its_beginning_on(store):
    async def scenario() -> list[str]:
        subscription = store.subscribe("configmaps")
        made = store.create("configmaps", config_map(a="1"))
        store.update("configmaps", made | {"data": {"a": "2"}})
        store.delete("configmaps", "shop", "flags")
        subscription.close()
        told = []
        while (event := await subscription.next_event()) is not None:
            told.append(f"{event.type} {event.record.body['data']['a']}")
        return told

    assert asyncio.run(scenario()) == ["ADDED 1", "MODIFIED 2", "DELETED 2"]


def test_a_pods_node_is_set_once_and_its_spec_never_changes(store):
    made = store.create("pods", pod())
    made["spec"]["nodeName"] = "n1"
    bound = store.update("pods", made, subresource="binding")
    assert bound["metadata"]["generation"] == 1

    bound["spec"]["nodeName"] = "n2"
    with refused(422):
        store.update("pods", bound)
