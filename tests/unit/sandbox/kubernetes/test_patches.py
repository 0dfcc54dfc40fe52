"""JSON, merge and strategic merge patches."""

import pytest

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.patches import apply_json_patch, apply_merge_patch, apply_strategic_patch


def pod_spec(*names: str) -> dict:
    return {"containers": [{"name": name, "image": f"{name}:1"} for name in names]}


@pytest.mark.parametrize("operation", [
    {"op": "replace", "path": "/spec/containers/9/image", "value": "x"},
    {"op": "remove", "path": "/spec/nothing"},
    {"op": "test", "path": "/spec/nothing", "value": 1},
    {"op": "add", "path": "/no/parent", "value": 1},
], ids=lambda operation: operation["op"])  # fmt: skip
def test_a_path_that_does_not_exist_is_422(operation):
    with pytest.raises(ApiError) as refused:
        apply_json_patch({"spec": {"containers": []}}, [operation])

    assert refused.value.status == 422


def test_a_json_patch_that_is_no_list_is_a_bad_request():
    with pytest.raises(ApiError) as refused:
        apply_json_patch({}, {"op": "add"})

    assert refused.value.status == 400


def test_a_merge_patch_replaces_lists_and_deletes_by_null():
    current = {"a": {"b": 1, "c": 2}, "list": [1, 2]}

    assert apply_merge_patch(current, {"a": {"b": None}, "list": [3]}) == {
        "a": {"c": 2},
        "list": [3],
    }


def test_set_element_order_reorders():
    order = [{"name": "b"}, {"name": "a"}]
    patch = {"$setElementOrder/containers": order, "containers": [{"name": "a", "image": "a:2"}]}

    patched = apply_strategic_patch(pod_spec("a", "b"), patch)

    assert [item["image"] for item in patched["containers"]] == ["b:1", "a:2"]


def test_patch_directives_delete_and_replace():
    deleted = apply_strategic_patch(
        pod_spec("a", "b"), {"containers": [{"name": "a", "$patch": "delete"}]}
    )
    replaced = apply_strategic_patch(
        pod_spec("a", "b"), {"containers": [{"$patch": "replace"}, {"name": "c"}]}
    )

    assert [item["name"] for item in deleted["containers"]] == ["b"]
    assert replaced == {"containers": [{"name": "c"}]}


def test_retain_keys_drops_what_it_does_not_name():
    current = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}

    assert apply_strategic_patch(current, patch) == {"strategy": {"type": "Recreate"}}


def test_finalizers_merge_and_are_taken_off_one_by_one():
    metadata = {"finalizers": ["a", "b"]}

    added = apply_strategic_patch(metadata, {"finalizers": ["c"]})
    removed = apply_strategic_patch(metadata, {"$deleteFromPrimitiveList/finalizers": ["a"]})

    assert sorted(added["finalizers"]) == ["a", "b", "c"]
    assert removed["finalizers"] == ["b"]


def test_atomic_lists_are_replaced():
    assert apply_strategic_patch({"args": ["a"]}, {"args": ["b"]}) == {"args": ["b"]}
