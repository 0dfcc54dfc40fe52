"""Who owns whom stays right whatever is written: told by the store, beside what its objects say."""

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from sandbox.kubernetes.store import Store

NAMES = ["a", "b", "c", "d"]
OWNERS = ["uid-of-x", "uid-of-y"]


def pod(name: str, owners: t.Sequence[tuple[str, bool]]) -> dict[str, t.Any]:
    references = [
        {"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid, "controller": controls}
        for uid, controls in owners
    ]
    metadata = {"name": name, "namespace": "default", "ownerReferences": references}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def place() -> Store:
    store = Store()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    store.create("namespaces", namespace)
    return store


def names_where(store: Store, holds: t.Callable[[t.Sequence[dict[str, t.Any]]], bool]) -> list[str]:
    found = (pod["metadata"] for pod in store.list("pods"))
    return [entry["name"] for entry in found if holds(entry.get("ownerReferences") or ())]


owner_lists = st.lists(
    st.tuples(st.sampled_from(OWNERS), st.booleans()), max_size=2, unique_by=lambda one: one[0]
)
writes = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | owner_lists), max_size=20)


@given(writes)
def test_owners_are_found_as_the_objects_name_them(steps):
    store = place()
    for name, owners in steps:
        present = any(one["metadata"]["name"] == name for one in store.list("pods"))
        if owners is None:
            if present:
                store.delete("pods", "default", name, grace_seconds=0)
        elif present:
            changed = store.get("pods", "default", name)
            changed["metadata"]["ownerReferences"] = pod(name, owners)["metadata"][
                "ownerReferences"
            ]
            store.update("pods", changed)
        else:
            store.create("pods", pod(name, owners))

    for uid in OWNERS:
        told = [record.body["metadata"]["name"] for record in store.owned("pods", uid)]
        assert told == names_where(store, lambda owners, uid=uid: uid in [o["uid"] for o in owners])
    free = [record.body["metadata"]["name"] for record in store.uncontrolled("pods")]
    assert free == names_where(store, lambda owners: not any(o["controller"] for o in owners))
    for one in store.list("pods"):
        resource, record = store.with_uid(one["metadata"]["uid"]) or ("", None)
        assert (resource, record and record.body["metadata"]["name"]) == (
            "pods",
            one["metadata"]["name"],
        )
